"""muP^2: the fans of each weight, and what is perturbed as the width grows."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_sam import ascents
from keras_sam.ascents.layerwise import fans_of
from tests.helpers import array


@pytest.mark.parametrize(
    "layer, shape, fans",
    [
        (layers.Dense(3), (5,), [(5, 3), (1, 3)]),
        (layers.Conv2D(6, 3), (8, 8, 2), [(2, 6), (1, 6)]),
        (layers.Conv1D(6, 3), (8, 2), [(2, 6), (1, 6)]),
        (layers.Conv2DTranspose(6, 3), (8, 8, 2), [(2, 6), (1, 6)]),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 4), [(1, 8), (1, 8)]),
        (layers.SeparableConv2D(6, 3), (8, 8, 4), [(1, 4), (4, 6), (1, 6)]),
        (layers.BatchNormalization(), (5,), [(1, 5), (1, 5)]),
        (layers.Embedding(7, 4), (3,), [(1, 4)]),
        (layers.EinsumDense("ab,bc->ac", 3), (5,), [(5, 3)]),
        (layers.SimpleRNN(3), (2, 5), [(5, 3), (3, 3), (1, 3)]),
    ],
)
def test_fans(layer, shape, fans):
    layer.build((None, *shape))
    assert [tuple(fans_of(v)) for v in layer.trainable_weights] == fans


def test_fans_of_attention():
    layer = layers.MultiHeadAttention(2, 3, value_dim=5)
    layer.build((None, 4, 8), (None, 4, 8))
    found = {v.path.split("/", 1)[1]: tuple(fans_of(v)) for v in layer.trainable_weights}
    assert found == {
        **{f"{name}/kernel": (8, 6) for name in ("query", "key")},
        **{f"{name}/bias": (1, 6) for name in ("query", "key")},
        "value/kernel": (8, 10),
        "value/bias": (1, 10),
        "attention_output/kernel": (10, 8),
        "attention_output/bias": (1, 8),
    }


def test_fans_of_ones_own():
    ascent = ascents.Layerwise(
        lambda variable: (1, 4) if variable.shape[0] == 5 else (1, 0)
    )
    layer = layers.Dense(3)
    layer.build((None, 5))
    ascent.build([layer.kernel])
    assert ascent.scale([None], []) == [2.0]
    with pytest.raises(
        ValueError, match=r"must be above 0. Received: fans=\(1, 0\) for .*bias"
    ):
        ascent.build(layer.trainable_weights)


def test_each_layer_is_perturbed_at_any_width():
    """In muP: by how much eps of a layer alone moves its outputs, root mean square."""

    def moves(ascent, n):
        rng = np.random.default_rng(0)
        shapes = [(8, n), (n, n), (n, 1)]
        deviations = [8**-0.5, n**-0.5, 1 / n]
        ws = [rng.normal(0, d, s) for d, s in zip(deviations, shapes)]
        x = rng.normal(size=(4, 8))
        inputs = [x, x @ ws[0], x @ ws[0] @ ws[1]]
        errors = [ws[2].T / 4 * np.ones((4, 1))]
        errors = [errors[0] @ ws[1].T, errors[0], np.full((4, 1), 0.25)]
        g = [ops.convert_to_tensor(i.T @ e, "float32") for i, e in zip(inputs, errors)]
        ascent.build([keras.Variable(np.zeros(s), name="kernel") for s in shapes])
        eps = ascent(g, g, 0.1)
        moved = [i @ array(e) for i, e in zip(inputs, eps)]
        return np.array([np.sqrt((m**2).mean()) for m in moved])

    wide, narrow = (moves(ascents.Layerwise(), n) for n in (1024, 64))
    assert (wide / narrow > 0.5).all() and (wide / narrow < 2).all()
    wide, narrow = (moves(ascents.LpBall(), n) for n in (1024, 64))
    assert (wide / narrow)[0] < 0.1 and (wide / narrow)[2] > 3

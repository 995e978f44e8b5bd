"""Landscapes of the loss, by hand."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sam import analysis
from keras_sam.analysis._flat import flat
from tests import dense
from tests.helpers import array


@pytest.fixture(autouse=True)
def _double(float64):
    """Errors are then of the method, and not of rounding."""


def loss(w, x, y):
    return ((x @ w - y) ** 2).mean()


@pytest.mark.parametrize("directions", [1, 2])
def test_a_landscape_by_hand(directions):
    """Its middle is the model, and each filter of a direction is as long as its own."""
    model, x, y, w = dense.quadratic()
    found = analysis.loss_landscape(
        model, x, y, directions=directions, points=5, extent=0.5, seed=4
    )
    rng = np.random.default_rng(4)
    axes = [rng.normal(size=w.shape) for _ in range(directions)]
    axes = [a * np.linalg.norm(w, axis=0) / np.linalg.norm(a, axis=0) for a in axes]
    for index in np.ndindex(found.losses.shape):
        there = w + sum(found.steps[i] * axis for i, axis in zip(index, axes))
        assert abs(found.losses[index] - loss(there, x, y)) < 1e-12
    assert abs(found.losses[(2,) * directions] - loss(w, x, y)) < 1e-12


def test_a_landscape_leaves_weights_without_filters():
    x, y, _ = dense.data()
    model = dense.mlp()
    found = analysis.loss_landscape(
        model, x, y, directions=1, points=3, variables=layers.BatchNormalization
    )
    assert np.ptp(found.losses) == 0


def test_filters_of_a_convolution():
    from keras_sam.analysis.landscape import _direction

    kernel = keras.ops.convert_to_tensor(np.random.default_rng(0).normal(size=(3, 3, 2, 4)))
    (found,) = _direction([kernel], np.random.default_rng(1))
    lengths = [
        np.linalg.norm(np.reshape(a, (-1, 4)), axis=0) for a in (found, array(kernel))
    ]
    np.testing.assert_allclose(*lengths)
    assert flat([kernel]).shape == (72,)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"directions": 3}, "`directions` must be 1 or 2"),
        ({"points": 4}, "`points` must be odd"),
        ({"extent": -1}, "`extent` must be"),
    ],
)
def test_bad_landscapes(settings, message):
    model, x, y, _ = dense.quadratic()
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        analysis.loss_landscape(model, x, y, **settings)

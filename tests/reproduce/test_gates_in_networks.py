"""Networks with gates: the true gradient of all their weights, and files."""

import keras
import numpy as np
import pytest
from architectures.gates import ShakeDrop, ShakeShake
from architectures.pyramidnet import pyramidnet
from architectures.shake_shake import shake_shake
from keras import layers

import keras_sam
from tests.helpers import array


def mixed():
    """A network with both gates, with weights before and after them."""
    inputs = keras.Input((4, 4, 3))
    branches = [layers.Conv2D(4, 3, activation="relu")(inputs) for _ in range(2)]
    x = layers.BatchNormalization()(ShakeShake()(branches))
    x = layers.Add()([x, ShakeDrop(0.2)(layers.Conv2D(4, 1)(x))])
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def shallow_shake_shake():
    return shake_shake((8, 8, 3), 3, depth=8, width=8)


def shallow_shake_drop():
    return pyramidnet((8, 8, 3), 3, depth=11, alpha=12, last_drop=0.9)


def trained(make_model):
    """Weights after a step."""
    keras.utils.set_random_seed(0)
    model = make_model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    shape = (6, *model.input.shape[1:])
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    model.train_on_batch(x, np.array([0, 1, 2, 0, 1, 2]))
    return np.concatenate([np.ravel(array(v)) for v in model.trainable_variables])


@pytest.mark.parametrize(
    "make",
    [
        mixed,
        pytest.param(shallow_shake_shake, marks=pytest.mark.slow),
        pytest.param(shallow_shake_drop, marks=pytest.mark.slow),
    ],
)
def test_the_gradient_of_a_networks_clean_pass(make, monkeypatch):
    """It is what a plain step has with the true gradient, and not what it has without."""
    at_w = keras_sam.descents.Weighted(gamma=0.0)  # The optimizer gets it as it is.
    actual = trained(lambda: keras_sam.SAMModel.from_model(make(), descent=at_w))
    plain = trained(make)
    monkeypatch.setattr(keras_sam, "in_ascent_pass", lambda: True)
    expected = trained(make)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)
    assert np.abs(plain - expected).max() > 1e-3


def test_a_file(tmp_path):
    model = mixed()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_array_equal(array(loaded(x)), array(model(x)))
    gates = [x for x in loaded.layers if isinstance(x, (ShakeShake, ShakeDrop))]
    assert len(gates) == 2 and gates[1].keep == 0.2
    assert ShakeDrop.from_config(ShakeDrop(0.2, seed=1).get_config()).seed == 1

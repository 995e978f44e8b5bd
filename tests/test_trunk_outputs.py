"""What goes from a shared trunk to the rest, and by which ways."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import ascents
from keras_sam._step.rules import Rules
from tests.helpers import (
    assert_identical,
    only_on,
    state,
)
from tests.trunks import (
    HEAD,
    assert_shared_is_unshared,
)


class Keeps(layers.Layer):
    """Hands on a tensor otherwise than as its output."""

    def build(self, shape):
        self.w = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        self.kept = {"mean": ops.mean(ops.square(x * self.w))}
        return x


class UsesIt(keras_sam.SAMModel):
    def compute_loss(self, *args, **kwargs):
        (keeps,) = (layer for layer in self.layers if isinstance(layer, Keeps))
        return super().compute_loss(*args, **kwargs) + keeps.kept["mean"]


class Twice(keras_sam.SAMModel):
    """Runs its graph a second time, on other images."""

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        return loss + ops.mean(ops.square(self(1 - x, training=True)))


def through(layer, cls=keras_sam.SAMModel, units=4):
    inputs = keras.Input((8, 8, 1))
    x = layer(layers.Dense(units)(layers.Flatten()(inputs)))
    return cls(inputs, layers.Dense(3, name="last")(x), rho=0.5, ascent=HEAD)


def borrowing(perturbed):
    """A layer of the trunk multiplies by the bias of the last one, which is trained."""
    last = layers.Dense(3, name="last", bias_initializer="ones")
    last.build((None, 3))
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(3)(layers.Flatten()(inputs))
    x = layers.Lambda(lambda x: x * last.bias, output_shape=(3,))(x)
    return keras_sam.SAMModel(
        inputs, last(x), rho=0.5, ascent=ascents.LpBall(variables=perturbed)
    )


def words():
    """A mask goes from the trunk to the head."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Lambda(lambda x: ops.cast(ops.relu(x) * 3, "int32"))(
        layers.Flatten()(inputs)
    )
    x = layers.Embedding(16, 4, mask_zero=True)(x)
    x = layers.GlobalAveragePooling1D()(layers.Dense(4, name="top")(x))
    outputs = layers.Dense(3, name="last")(x)
    return keras_sam.SAMModel(inputs, outputs, rho=0.5, ascent=HEAD)


@pytest.mark.parametrize(
    "make, stands",
    [
        (lambda: through(Keeps(), UsesIt), False),
        (lambda: through(layers.ReLU(), Twice), True),
        (lambda: borrowing("^last"), False),
        (lambda: borrowing("^last/kernel"), False),
        (words, True),
    ],
    ids=["kept", "twice", "of a perturbed one", "of another one", "masks"],
)
def test_ways_around_the_outputs(make, stands, monkeypatch):
    assert_shared_is_unshared(make, monkeypatch, stands=stands)


def test_the_mask_of_the_loss(monkeypatch):
    """It comes from the trunk by way of the predictions."""
    rng, found = np.random.default_rng(0), []
    x, y = rng.integers(0, 3, (8, 6)), rng.normal(size=(8, 6, 2))
    for share in (True, False):
        monkeypatch.setattr(Rules, "can_share", lambda self, trunk, share=share: share)
        keras.utils.set_random_seed(1)
        inputs = keras.Input((6,), dtype="int32")
        embedded = layers.Embedding(3, 4, mask_zero=True)(inputs)
        outputs = layers.Dense(2, name="last")(embedded)
        model = keras_sam.SAMModel(inputs, outputs, rho=0.5, ascent=HEAD)
        model.compile("sgd", "mse")
        model.fit(x, y, verbose=0)
        found.append(state(model))
    assert_identical(*found, rtol=2e-5)


@only_on("torch", "Elsewhere tensors do not change.")
def test_a_head_that_changes_its_input(monkeypatch):
    class InPlace(layers.Layer):
        def build(self, shape):
            self.top = self.add_weight(name="top", shape=(4,), initializer="ones")

        def call(self, x):
            return x.mul_(0.5) * self.top

    assert_shared_is_unshared(lambda: through(InPlace()), monkeypatch)
    assert_shared_is_unshared(lambda: frozen(through(InPlace())), monkeypatch)


def frozen(model):
    model.layers[2].trainable = False
    return model

"""Where both passes may share a part of a model, and where not."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import ascents, descents
from tests.helpers import assert_identical, state
from tests.models import classify, random_images, rows
from tests.trunks import (
    HEAD,
    Inner,
    assert_shared_is_unshared,
    network,
)


class Graphless(keras_sam.SAMModel):
    """A functional model whose `call` goes another way."""

    def call(self, x, training=None):
        for layer in self.layers[1:]:
            x = layer(x)
        return x


def straight():
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(6)(Inner()(layers.Flatten()(inputs)))
    return inputs, layers.Dense(3, name="last")(x)


def test_a_call_that_does_not_run_the_graph():
    results = []
    for cls in (keras_sam.SAMModel, Graphless):
        keras.utils.set_random_seed(1)
        model = classify(cls(*straight(), rho=0.5, ascent=HEAD), run_eagerly=True)
        for _ in range(2):
            Inner.calls = 0
            model.train_on_batch(*random_images(8))
        results.append((state(model), Inner.calls))
    assert_identical(results[0][0], results[1][0], rtol=1e-6)
    assert [calls for _, calls in results] == [1, 2]


class Gate(layers.Layer):
    """Gives something else in the ascent pass."""

    def __init__(self):
        super().__init__()
        self.w = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return x * self.w if keras_sam.in_ascent_pass() else x * ops.square(self.w)


def test_a_layer_that_is_another_in_the_ascent_pass(monkeypatch):
    def make():
        inputs = keras.Input((8, 8, 1))
        x = layers.Dense(4)(Gate()(layers.Flatten()(inputs)))
        return keras_sam.SAMModel(inputs, layers.Dense(3, name="last")(x), ascent=HEAD)

    assert_shared_is_unshared(make, monkeypatch, stands=False)


@pytest.mark.parametrize("variables", [None, "kernel", "^conv2d"])
def test_no_trunk(variables):
    """A reshaped input is not worth it."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3)(layers.Rescaling(2.0)(inputs))
    outputs = layers.Dense(3)(layers.Flatten()(x))
    ascent = ascents.LpBall(variables=variables)
    model = classify(keras_sam.SAMModel(inputs, outputs, ascent=ascent))
    model.fit(*random_images(8), verbose=0)
    assert model._sharpness_aware.trunk is None


def test_weights_without_a_layer(monkeypatch):
    """All of the graph is the trunk of a weight that scales the loss."""

    class Scaled(keras_sam.SAMModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

        def compute_loss(self, *args, **kwargs):
            return super().compute_loss(*args, **kwargs) * self.scale

    def make():
        return Scaled(*network(), rho=0.5, ascent=ascents.LpBall(variables="scale$"))

    assert_shared_is_unshared(make, monkeypatch)


def test_images_are_augmented_once():
    """Of any functional model, where nothing is to be chosen."""

    class Augments(layers.RandomFlip):
        calls = 0

        def call(self, x, training=True):
            Augments.calls += 1
            return super().call(x, training)

    inputs = keras.Input((8, 8, 1))
    x = layers.Flatten()(Augments(seed=1)(inputs))
    model = keras_sam.SAMModel(inputs, layers.Dense(3)(x), descent=descents.GSAM(0.1))
    classify(model, run_eagerly=True)
    model.train_on_batch(*random_images(8))
    Augments.calls = 0
    model.train_on_batch(*random_images(8))
    assert Augments.calls == 1


def test_state_that_both_sides_move():
    """A common generator: whose turn it is would change."""
    seeds = keras.random.SeedGenerator(1)
    inputs = keras.Input((8, 8, 1))
    x = Noise(seeds)(layers.Dense(4)(layers.Flatten()(inputs)))
    outputs = Noise(seeds)(layers.Dense(3, name="last")(x))
    model = classify(keras_sam.SAMModel(inputs, outputs, ascent=HEAD))
    model.fit(*random_images(8), verbose=0)
    assert model._sharpness_aware.trunk is None


class Noise(layers.Layer):
    def __init__(self, seeds):
        super().__init__()
        self.seeds = seeds

    def call(self, x):
        return x + keras.random.normal(ops.shape(x), seed=self.seeds)


class Draws(layers.Layer):
    """Draws by itself, from a generator that is not Keras's."""

    def __init__(self, name):
        super().__init__()
        self.draw = name
        self.add_weight(shape=(), trainable=False)  # Or it is no trunk.

    def call(self, x):
        drawn = getattr(np.random, self.draw)(size=x.shape[1:])
        return ops.add(x, ops.convert_to_tensor(drawn, "float32"))


def test_draws_in_the_trunk_are_not_those_of_the_head():
    """What is checked once is the whole network; it draws as plain training does."""

    def drawn(cls, **settings):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((8,))
        x = layers.Dense(4, kernel_regularizer="l2")(Draws("uniform")(inputs))
        model = cls(inputs, layers.Dense(3)(Draws("normal")(x)), **settings)
        classify(model, run_eagerly=True)
        for _ in range(2):
            model.train_on_batch(*rows(8))
        return np.random.uniform()

    assert drawn(keras_sam.SAMModel, rho=0.1) == drawn(keras.Model)

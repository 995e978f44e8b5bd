"""PyTorch: both passes see the same input, and the gradient is that at w + eps."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.helpers import BACKEND, assert_identical, generators, state
from tests.models import classify, rows
from tests.plain import assert_like_plain

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")


def checkpointed_layers(on, cls=keras_sam.SAMModel, **settings):
    """Keras's own gradient checkpointing, with all that moves in a pass inside."""
    scope = keras.RematScope(mode="full") if on else contextlib.nullcontext()
    inputs = keras.Input((8,))
    x = layers.Dropout(0.3)(inputs)
    with scope:
        stack = [layers.Dense(16, activation="tanh"), layers.Dense(16, activation="tanh")]
    for layer in stack:
        x = layer(x)
    return cls(inputs, layers.Dense(3)(layers.Dropout(0.3)(x)), **settings)


class Module(torch.nn.Module):
    def __init__(self, on):
        super().__init__()
        torch.manual_seed(0)
        first, dropout = torch.nn.Linear(8, 16), torch.nn.Dropout(0.3)
        self.inner = torch.nn.Sequential(first, torch.nn.Tanh(), dropout)
        self.last = torch.nn.Linear(16, 3)
        self.on = on

    def forward(self, x):
        if not self.on:
            return self.last(self.inner(x))
        checkpoint = torch.utils.checkpoint.checkpoint
        return self.last(checkpoint(self.inner, x, use_reentrant=False))


def checkpointed_module(on, cls=keras_sam.SAMModel, **settings):
    inputs = keras.Input((8,))
    layer = layers.TorchModuleWrapper(Module(on), output_shape=(None, 3))
    return cls(inputs, layer(inputs), **settings)


def fit(model):
    keras.utils.set_random_seed(2)
    return model.fit(*rows(), batch_size=8, epochs=2, shuffle=False, verbose=0).history


@pytest.mark.parametrize("make", [checkpointed_layers, checkpointed_module])
@pytest.mark.parametrize("m", [None, 3])
def test_what_is_computed_again_is_so_at_the_perturbed_weights(make, m):
    results = []
    for on in (False, True):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = classify(make(on, rho=0.3, m=m))
        logs = fit(model)
        results.append([*state(model), *logs.values(), *generators()])
    assert_identical(*results)


@pytest.mark.parametrize("make", [checkpointed_layers, checkpointed_module])
def test_gradient_checkpointing_at_zero(make):
    assert_like_plain(lambda cls: classify(make(True, cls)), fit)


class InPlace(layers.Layer):
    def call(self, x, training=None):
        return x.mul_(2.0).add_(1.0) if training else x


IN_PLACE = {
    "layer": InPlace,
    "brightness": lambda: layers.RandomBrightness(0.5, value_range=(0, 1), seed=1),
    # It chooses by Python's `random`.
    "augmentation": lambda: layers.AugMix(value_range=(0, 1), seed=1),
}


def augmented(kind, cls=keras_sam.SAMModel, **settings):
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(IN_PLACE[kind]()(inputs))
    return classify(cls(inputs, layers.Dense(3)(x), **settings))


def fit_images(model):
    keras.utils.set_random_seed(2)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(24, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 24)
    return model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history


@pytest.mark.parametrize("kind", IN_PLACE)
@pytest.mark.filterwarnings("ignore:.*Tensor.T is deprecated")  # Keras's own, in AugMix.
def test_a_layer_that_changes_its_input(kind):
    assert_like_plain(lambda cls: augmented(kind, cls), fit_images)
    for m in (None, 3):
        sharpness = fit_images(augmented(kind, rho=1e-7, m=m))["sharpness"]
        np.testing.assert_allclose(sharpness, np.zeros(2), atol=1e-5)


def test_the_array_of_a_loop_of_the_users_own():
    """It shares its memory with the tensor that the layer changes."""
    inputs = keras.Input((8,))
    outputs = layers.Dense(3)(InPlace()(inputs))
    model = classify(keras_sam.SAMModel(inputs, outputs, rho=1e-7))
    x, y = rows(8)
    logs = model.train_step((x, y))
    np.testing.assert_allclose(float(logs["sharpness"]), 0, atol=1e-5)


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
def test_a_norm_adds_up_in_the_order_of_memory(clip):
    def make(cls):
        inputs = keras.Input((8, 8, 3))
        x = layers.SeparableConv2D(4, 3)(inputs)
        outputs = layers.Dense(3)(layers.Flatten()(x))
        return classify(cls(inputs, outputs), keras.optimizers.SGD(0.1, **{clip: 0.1}))

    assert_like_plain(make, fit_images)

"""At rho = 0, the plain fit bit for bit: whatever is in the model."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.helpers import BACKEND, array, without_a_gradient
from tests.models import classify, cnn
from tests.plain import MODES, ROUNDING, assert_like_plain, fit


@pytest.mark.slow
def test_embedding_masking_and_recurrence():
    def make(cls):
        inputs = keras.Input((7,), dtype="int32")
        x = layers.Embedding(11, 6, mask_zero=True)(inputs)
        x = layers.Bidirectional(layers.LSTM(5, dropout=0.2, recurrent_dropout=0.2))(x)
        return classify(cls(inputs, layers.Dense(3)(x)), "adam")

    rng = np.random.default_rng(0)
    assert_like_plain(make, fit(rng.integers(0, 11, (40, 7)), rng.integers(0, 3, 40)))


@pytest.mark.skipif(BACKEND == "torch", reason="Plain Keras fails: it writes a state.")
@pytest.mark.parametrize("mode", sorted(MODES.keys() & ROUNDING.keys()))
def test_stateful_recurrence(mode):
    def make(cls):
        inputs = keras.Input(batch_shape=(8, 5, 4))
        x = layers.GRU(6, stateful=True)(inputs)
        return classify(cls(inputs, layers.Dense(3)(x)), **MODES[mode])

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 5, 4)), rng.integers(0, 3, 32)
    train = fit(x, y, batch_size=8, shuffle=False)
    model = assert_like_plain(make, train, ROUNDING[mode])
    if BACKEND != "jax":  # There, Keras's `fit` forgets the states.
        assert np.any(array(model.layers[1].states[0]))


class GlobalNoise(layers.Layer):
    """Draws from Keras's global seed, and would freeze if nobody moved it."""

    def call(self, x, training=None):
        return x + keras.random.normal(ops.shape(x)) if training else x


@pytest.mark.parametrize("mode", sorted(MODES.keys() & ROUNDING.keys()))
def test_global_seed(images, mode):
    if (BACKEND, mode) == ("jax", "jit"):
        pytest.skip("Keras has an error for it there.")

    def make(cls):
        inputs, outputs = cnn()
        return classify(cls(inputs, GlobalNoise()(outputs)), **MODES[mode])

    model = assert_like_plain(make, fit(*images), ROUNDING[mode])
    first, second = (array(model(images[0], training=True)) for _ in range(2))
    assert np.any(first != second)


def test_frozen_layers_and_weights_without_a_gradient(images):
    def make(cls):
        class Net(cls):
            def __init__(self):
                super().__init__()
                self.frozen = layers.Dense(6, trainable=False)
                self.norm = layers.BatchNormalization(trainable=False)
                self.dense = layers.Dense(3)
                self.unused = self.add_weight(shape=(2,), name="unused")

            def call(self, x):
                return self.dense(self.norm(self.frozen(layers.Flatten()(x))))

        return classify(Net())

    with without_a_gradient():
        assert_like_plain(make, fit(*images))


def test_a_layer_that_assigns_its_weights(images):
    def make(cls):
        inputs = keras.Input((8, 8, 1))
        x = layers.SpectralNormalization(layers.Conv2D(4, 3))(inputs)
        x = layers.Flatten()(x)
        return classify(cls(inputs, layers.SpectralNormalization(layers.Dense(3))(x)))

    assert_like_plain(make, fit(*images))


@pytest.mark.slow
def test_attention_and_noise(images):
    def make(cls):
        inputs = keras.Input((8, 8, 1))
        x = layers.RandomTranslation(0.1, 0.1)(layers.RandomFlip()(inputs))
        x = layers.GaussianNoise(0.1)(layers.Reshape((8, 8))(x))
        x = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
        x = layers.LayerNormalization()(x)
        x = layers.TimeDistributed(layers.Dropout(0.1))(x)
        return classify(cls(inputs, layers.Dense(3)(layers.Flatten()(x))), "adam")

    assert_like_plain(make, fit(*images))


def test_a_model_that_fit_builds(images):
    def make(cls):
        class Net(cls):
            def __init__(self):
                super().__init__()
                self.stack = keras.Sequential(
                    [layers.Flatten(), layers.Dense(5), layers.BatchNormalization()]
                )
                self.head = layers.Dense(3)

            def call(self, x, training=None):
                return self.head(self.stack(x, training=training))

        return classify(Net())

    for mode in MODES.keys() & {"graph", "eager"}:
        assert_like_plain(
            lambda cls, mode=mode: classify(make(cls), **MODES[mode]), fit(*images)
        )

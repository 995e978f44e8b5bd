"""A schedule that draws random numbers: SS-SAM, which climbs with a probability."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import schedules
from tests.helpers import BACKEND, MODES
from tests.memories import replicated


@keras.saving.register_keras_serializable("tests")
class Sometimes(schedules.Schedule):
    """SS-SAM, as in the docstring of `Schedule`."""

    def __init__(self, probability, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.probability, self.seed = probability, seed
        self.generator = keras.random.SeedGenerator(seed)

    def init(self, weights):
        return [self.generator.state.value + 0]

    def climbs(self, time, gradients, memory):
        (seed,) = memory
        with keras.StatelessScope([(self.generator.state, seed)]):
            number = keras.random.uniform((), seed=self.generator)
        step = ops.convert_to_tensor([0, 1], seed.dtype)
        return number < self.probability, [seed + step]

    def get_config(self):
        own = {"probability": self.probability, "seed": self.seed}
        return own | super().get_config()


def drawn(n, mode, probability=0.5, seed=3):
    """One after the other. XLA has another algorithm than TensorFlow without it."""
    generator = keras.random.SeedGenerator(seed)

    def draw():
        return keras.random.uniform((), seed=generator)

    if mode.get("jit_compile"):
        import tensorflow as tf

        draw = tf.function(draw, jit_compile=True)
    return [float(draw()) < probability for _ in range(n)]


def linear(**settings):
    """Its gradient is the mean of x, and its loss rises by rho ||g|| where it climbs."""
    inputs = keras.Input((2,))
    model = keras_sam.SAMModel(inputs, layers.Dense(1, use_bias=False)(inputs), **settings)
    return model


@pytest.mark.parametrize("mode", MODES)
def test_steps_at_random(mode, tmp_path):
    """As drawn one after the other; saved, it goes on where it was."""
    model = linear(rho=0.5, schedule=Sometimes(0.5, 3, reuse=0.5))
    model.compile("sgd", "mse", **mode)
    x, y = np.ones((4, 2)), np.zeros((4, 1))

    def climbs(model, n):
        logs = []
        for _ in range(n):
            model.reset_metrics()
            logs.append(float(model.train_on_batch(x, y, return_dict=True)["sharpness"]))
        return [rise != 0 for rise in logs]

    expected = drawn(12, mode)
    assert {*expected[:6]} == {*expected[6:]} == {True, False}
    assert climbs(model, 6) == expected[:6]
    model.save(tmp_path / "model.keras")
    assert climbs(model, 6) == expected[6:]
    assert climbs(keras.models.load_model(tmp_path / "model.keras"), 6) == expected[6:]


@pytest.mark.parametrize("mode", MODES)
def test_each_group_draws_for_itself(mode):
    model = linear(rho=0.5, m=2, schedule=Sometimes(0.5, 3))
    model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: y_pred, **mode)
    shares = []
    for _ in range(3):
        model.reset_metrics()
        logs = model.train_on_batch(np.ones((8, 2)), np.zeros((8, 1)), return_dict=True)
        shares.append(float(logs["sharpness"]) / (0.5 * 2**0.5))
    expected = np.reshape(drawn(12, mode), (3, 4)).mean(1)
    np.testing.assert_allclose(shares, expected, rtol=1e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
def test_replicas_draw_alike_on_tensorflow_and_each_for_itself_on_jax():
    shares = []
    with replicated():
        model = linear(rho=0.5, schedule=Sometimes(0.5, 3))
        model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: y_pred)
        for _ in range(6):
            logs = model.fit(np.ones((8, 2)), np.zeros((8, 1)), verbose=0).history
            shares.append(logs["sharpness"][0] / (0.5 * 2**0.5))
    draws = drawn(12, {})
    each = np.reshape(draws, (6, 2)).mean(1)
    expected = draws[:6] if BACKEND == "tensorflow" else each
    np.testing.assert_allclose(shares, expected, rtol=1e-5, atol=1e-6)

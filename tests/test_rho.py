"""rho: what it may be, and that setting it reaches a compiled step."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import schedules
from tests.helpers import assert_identical
from tests.models import classify, cnn, rows, small

SCHEDULE = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)


def linear(rho):
    """Its sharpness is rho, at every step."""
    inputs = keras.Input((1,))
    model = keras_sam.SAMModel(inputs, layers.Dense(1, use_bias=False)(inputs), rho=rho)
    model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: ops.mean(y_pred))
    model.set_weights([np.zeros((1, 1))])
    return model


def sharpness(model, **kwargs):
    x = np.ones((8, 1))
    return model.fit(x, x, batch_size=8, verbose=0, **kwargs).history["sharpness"]


def test_the_default():
    model = keras_sam.SAMModel(*cnn())
    assert model.rho == 0.05
    assert model.ascent.p == 2


@pytest.mark.parametrize("rho", [0, 0.0, 2, 0.3, np.float32(0.5), np.int64(1), 1e30])
def test_numbers(rho):
    model = keras_sam.SAMModel(*cnn(), rho=rho)
    assert model.rho == float(rho) and type(model.rho) is float


def test_set_between_fits_and_to_a_schedule_and_back():
    model = linear(0.5)
    assert sharpness(model) == [0.5]
    compiled = model.train_function
    model.rho = 0.25
    assert sharpness(model) == [0.25]
    assert model.train_function is compiled
    model.rho = SCHEDULE
    steps = int(model.optimizer.iterations)
    assert sharpness(model) == [0.5**steps]
    model.rho = 0.75
    assert sharpness(model) == [0.75]


def test_set_from_a_callback():
    class Halve(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.rho = self.model.rho / 2

    assert sharpness(linear(1.0), epochs=3, callbacks=[Halve()]) == [1.0, 0.5, 0.25]


def test_set_to_a_schedule_from_a_callback():
    class Switch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.rho = SCHEDULE

    assert sharpness(linear(3.0), epochs=3, callbacks=[Switch()]) == [3.0, 0.5, 0.25]


@pytest.mark.parametrize("steps", [1, 2])
def test_a_schedule_counts_the_updates_of_the_optimizer(steps):
    model = linear(SCHEDULE)
    optimizer = keras.optimizers.SGD(0.0)
    if steps > 1:
        optimizer = keras.optimizers.SGD(0.0, gradient_accumulation_steps=steps)
    model.compile(optimizer, lambda y, y_pred: ops.mean(y_pred))
    expected = [0.5 ** (i // steps) for i in range(5)]
    assert sharpness(model, epochs=5) == expected


def test_a_schedule_under_loss_scaling():
    keras.config.set_dtype_policy("mixed_float16")
    assert sharpness(linear(SCHEDULE), epochs=3) == [1.0, 0.5, 0.25]


MESSAGES = [
    (-0.1, r"`rho` must be non-negative. Received: rho=-0.1"),
    (float("nan"), r"`rho` must be finite. Received: rho=nan"),
    (float("inf"), r"`rho` must be finite. Received: rho=inf"),
    (10**400, r"`rho` must be finite. Received: rho=10000"),
    (-(10**400), r"`rho` must be non-negative. Received: rho=-10000"),
    (1e39, r"`rho` must be 0, or in \[.*\] as a float32. Received: rho=1e\+39"),
    (np.float64(1e39), r"`rho` must be 0, or in \[.*\] as a float32"),
    (1e-39, r"`rho` must be 0, or in \[.*\] as a float32. Received: rho=1e-39"),
    (
        "0.1",
        r"`rho` must be a number, a `keras.*RhoByLearningRate`.* Received: rho=0.1",
    ),
    (None, r"`rho` must be a number"),
    ([0.1], r"`rho` must be a number"),
    (True, r"`rho` must be a number"),
    (1j, r"`rho` must be a number"),
]


@pytest.mark.parametrize("rho, message", MESSAGES)
def test_bad_values(images, rho, message):
    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel(*cnn(), rho=rho)
    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel.from_model(keras.Model(*cnn()), rho=rho)
    model = classify(keras_sam.SAMModel(*cnn(), rho=0.2))
    with pytest.raises(ValueError, match=message):
        model.rho = rho
    assert model.rho == 0.2
    model.fit(*images, verbose=0)


def test_what_is_finite_in_the_precision_of_the_weights(float64):
    assert keras_sam.SAMModel(*cnn(), rho=1e39).rho == 1e39
    keras.config.set_floatx("float16")
    with pytest.raises(ValueError, match=r"as a float16. Received: rho=100000.0"):
        keras_sam.SAMModel(*cnn(), rho=1e5)


def test_a_callable():
    model = linear(lambda: 0.75)
    assert sharpness(model) == [0.75]
    assert model.rho() == 0.75
    radius = keras.Variable(0.25)
    model.rho = lambda: radius
    assert sharpness(model) == [0.25]


@pytest.mark.parametrize("rho", [lambda step: 0.1, float, "0.1", [0.1]])
def test_a_callable_with_arguments_is_refused(rho):
    with pytest.raises(ValueError, match=r"callable without arguments.*Received: rho="):
        keras_sam.SAMModel(*cnn(), rho=rho)


def test_rho_follows_the_learning_rate():
    rho = schedules.RhoByLearningRate(0.02, 0.1, lr_max=0.2, lr_min=0.04)
    model = keras_sam.SAMModel(*small(), rho=rho)
    fixed = keras_sam.SAMModel(*small())
    fixed.set_weights(model.get_weights())
    for each in (model, fixed):
        classify(each, keras.optimizers.SGD(0.2))
    for rate, expected in ((0.2, 0.1), (0.12, 0.06), (0.04, 0.02)):
        fixed.rho = expected
        for each in (model, fixed):
            each.optimizer.learning_rate = rate
            each.train_on_batch(*rows(8))
        assert_identical(model.get_weights(), fixed.get_weights(), rtol=1e-5)
    config = keras.saving.serialize_keras_object(rho)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == rho.get_config()

"""What a layer is told of the pass that it runs in."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import ascents, schedules
from tests.helpers import MODES, array

RHO, RATE = 0.1, 0.5
START = np.array([0.4, -0.2], "float32")
ALONG = np.array([0.6, 0.8], "float32")


class TwoLosses(layers.Layer):
    """Gives `ALONG . w` in an ascent pass, and |w|^2 / 2 in any other."""

    def build(self, shape):
        self.w = self.add_weight(shape=(2,), initializer=lambda *a, **k: ops.array(START))

    def call(self, x):
        if keras_sam.in_ascent_pass():
            value = ops.sum(ops.multiply(ALONG, self.w))
        else:
            value = ops.sum(ops.square(self.w)) / 2
        return ops.ones_like(x) * value


def compiled(make, mode, **settings):
    inputs = keras.Input((1,))
    model = make(inputs, TwoLosses()(inputs), **settings)
    model.compile(keras.optimizers.SGD(RATE), lambda y, y_pred: y_pred, **mode)
    return model


X = np.ones((4, 1), "float32")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"m": 2},
        {"second_order": True},
        {"ascent": ascents.LpBall(steps=3)},
        {"schedule": schedules.Fraction(0.5)},
        {"m": 2, "schedule": schedules.Fraction(0.5), "second_order": True},
    ],
    ids=str,
)
def test_the_perturbation_follows_the_gradient_of_the_ascent_pass(mode, settings):
    model = compiled(keras_sam.SAMModel, mode, rho=RHO, **settings)
    model.train_on_batch(X, X)
    expected = START - RATE * (START + RHO * ALONG)
    np.testing.assert_allclose(array(model.trainable_weights[0]), expected, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ascent", [ascents.Momentum(), ascents.LastStep()])
def test_an_ascent_without_a_pass_of_its_own_has_no_ascent_pass(mode, ascent):
    model = compiled(keras_sam.SAMModel, mode, rho=RHO, ascent=ascent)
    model.train_on_batch(X, X)  # The first step has nothing to follow.
    np.testing.assert_allclose(
        array(model.trainable_weights[0]), START - RATE * START, rtol=1e-5
    )


def test_rho_0_takes_the_gradient_of_a_plain_step():
    models = [compiled(make, {}) for make in (keras.Model, keras_sam.SAMModel)]
    models[1].rho = 0.0
    for model in models:
        model.train_on_batch(X, X)
    np.testing.assert_array_equal(*(array(m.trainable_weights[0]) for m in models))


def test_outside_of_a_step_there_is_none():
    model = compiled(keras_sam.SAMModel, {}, rho=RHO)
    assert not keras_sam.in_ascent_pass()
    half_square = np.square(START).sum() / 2
    np.testing.assert_allclose(model.evaluate(X, X, verbose=0), half_square, rtol=1e-6)
    np.testing.assert_allclose(model.predict(X, verbose=0), half_square * X, rtol=1e-6)


def test_an_error_in_a_pass_does_not_last():
    class Fails(layers.Layer):
        def call(self, x):
            if keras_sam.in_ascent_pass():
                raise RuntimeError("in the ascent pass")
            return x

    inputs = keras.Input((1,))
    outputs = layers.Dense(1)(Fails()(inputs))
    model = keras_sam.SAMModel(inputs, outputs)
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="in the ascent pass"):
        model.train_on_batch(X, X)
    assert not keras_sam.in_ascent_pass()

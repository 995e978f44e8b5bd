"""The gradient of the loss at w + eps(w), by hand."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, schedules
from tests import by_hand
from tests.by_hand import RHO, flat
from tests.helpers import MODES, long_if_eager
from tests.regression import RATE, data

pytestmark = pytest.mark.usefixtures("float64")


def quadratic(second_order, **parts):
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(1, use_bias=False)(inputs)
    model = keras_sam.SAMModel(inputs, outputs, rho=RHO, second_order=second_order, **parts)
    return model


@pytest.mark.parametrize("mode", long_if_eager(MODES))
@pytest.mark.parametrize("schedule", [None, schedules.Every(2)])
def test_second_order(mode, schedule):
    """The loss is a quadratic, of which the gradient of eps is known."""
    model = quadratic(True, schedule=schedule)
    model.compile(keras.optimizers.SGD(RATE), "mse", **mode)
    x, y, _ = data()
    y = y[:, :1]
    hessian = 2 * x.T @ x / len(x)
    w = flat(model.trainable_weights)
    for t in range(3):
        g = 2 * x.T @ (x @ w - y[:, 0]) / len(x)
        s = g + hessian @ (RHO * by_hand.unit(g))
        project = np.eye(4) - np.outer(by_hand.unit(g), by_hand.unit(g))
        composite = s + RHO / by_hand.norm(g) * hessian @ project @ s
        w = w - RATE * (g if schedule and t % 2 else composite)
        model.train_on_batch(x, y)
    np.testing.assert_allclose(flat(model.trainable_weights), w, rtol=1e-11)


@pytest.mark.parametrize("mode", long_if_eager(MODES))
def test_second_order_and_several_steps_by_a_part_of_the_batch(mode):
    x, y, _ = data()
    y = y[:, :1]
    hessian, some = 2 * x.T @ x / len(x), 2 * x[:3].T @ x[:3] / 3

    def gradient(w, rows=slice(None)):
        return 2 * x[rows].T @ (x[rows] @ w - y[rows, 0]) / len(x[rows])

    half = schedules.Fraction(0.5)
    for second_order in (True, False):
        steps = {} if second_order else {"ascent": ascents.LpBall(steps=2)}
        model = quadratic(second_order, schedule=half, **steps)
        model.compile(keras.optimizers.SGD(RATE), "mse", **mode)
        w = flat(model.trainable_weights)
        g = gradient(w, slice(0, 3))
        eps = RHO * by_hand.unit(g)
        if second_order:
            project = np.eye(4) - np.outer(by_hand.unit(g), by_hand.unit(g))
            s = gradient(w) + hessian @ eps
            expected = s + RHO / by_hand.norm(g) * some @ project @ s
        else:
            eps = eps + RHO * by_hand.unit(gradient(w + eps, slice(0, 3)))
            eps = eps * min(1, RHO / by_hand.norm(eps))
            expected = gradient(w + eps)
        model.train_on_batch(x, y)
        actual = flat(model.trainable_weights)
        np.testing.assert_allclose(actual, w - RATE * expected, rtol=1e-11)


def test_second_order_goes_through_an_average():
    """From an average of 0, Friendly SAM's direction is the gradient's, at every w."""
    x, y, _ = data()
    results = []
    for ascent in (ascents.LpBall(), ascents.Friendly(0.5, 0.8)):
        keras.utils.set_random_seed(0)
        model = quadratic(True, ascent=ascent)
        model.compile(keras.optimizers.SGD(RATE), "mse")
        model.train_on_batch(x, y[:, :1])
        results.append(flat(model.trainable_weights))
    np.testing.assert_allclose(*results, rtol=1e-11)


def test_second_order_without_a_gradient():
    model = quadratic(True)
    model.compile(keras.optimizers.SGD(RATE), "mse")
    before = flat(model.trainable_weights)
    model.train_on_batch(np.zeros((3, 4)), np.ones((3, 1)))
    np.testing.assert_array_equal(flat(model.trainable_weights), before)


def test_attention():
    """The fast kernels of PyTorch have no second derivative. (The same on each backend.)"""
    x = np.random.default_rng(0).normal(size=(6, 4, 8)).astype("float32")
    inputs = keras.Input((4, 8))
    outputs = keras.layers.MultiHeadAttention(2, 4)(inputs, inputs)
    plain = keras.Model(inputs, outputs)
    start = plain.get_weights()

    def step(rho, second_order):
        plain.set_weights(start)
        settings = {"rho": rho, "second_order": second_order}
        model = keras_sam.SAMModel.from_model(plain, **settings)
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.train_on_batch(x, 0 * x)
        return np.concatenate([np.ravel(a - b) for a, b in zip(start, model.get_weights())])

    # As rho vanishes, the two orders differ less and less; at 0 they are plain training.
    np.testing.assert_allclose(step(0.0, True), step(0.0, False), rtol=1e-4, atol=1e-7)
    far, near = (np.abs(step(r, True) - step(r, False)).max() for r in (0.2, 0.02))
    assert 0 < near < 0.5 * far

"""Each variant, some steps by hand in NumPy and float64."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents, schedules
from tests import by_hand
from tests.by_hand import RHO
from tests.conftest import MODES, array, long_if_eager
from tests.test_step import RATE, Normalized, data, network

pytestmark = pytest.mark.usefixtures("float64")
INF = float("inf")
SHAPES = [(4, 2), (2,), (2,)]
KERNEL = np.repeat([True, False], [8, 4])  # the kernel, then gamma and beta
STEPS = 5


def split(flat):
    ends = np.cumsum([np.prod(shape) for shape in SHAPES])
    return [v.reshape(s) for v, s in zip(np.split(flat, ends[:-1]), SHAPES)]


def flat(tensors):
    return np.concatenate([np.ravel(array(t)) for t in tensors])


def batches():
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        yield rng.normal(size=(6, 4)), rng.normal(size=(6, 2)), rng.uniform(0.5, 2, 6)


def train_by_hand(rule, w):
    hand = Normalized(*split(w))
    steps = rule()
    next(steps)
    for batch in batches():

        def gradient(w, rows=slice(None), batch=batch):
            part = [a[rows] for a in batch]
            return flat(hand.loss_and_gradients(split(w), *part)[1])

        w = w - RATE * steps.send((gradient, w))
    return w


def never(variable):
    return variable.name == "gamma"


VARIANTS = {
    "three steps": (
        {"ascent": ascents.LpBall(steps=3)},
        by_hand.multi_step(3, 2),
    ),
    "three steps, inf": (
        {"ascent": ascents.LpBall(INF, steps=3)},
        by_hand.multi_step(3, INF),
    ),
    "adaptive": ({"ascent": ascents.Adaptive()}, by_hand.adaptive(0.01, 2, KERNEL)),
    "adaptive, eta 0": (
        {"ascent": ascents.Adaptive(eta=0)},
        by_hand.adaptive(0, 2, KERNEL),
    ),
    "adaptive, inf": (
        {"ascent": ascents.Adaptive(INF, eta=0.1)},
        by_hand.adaptive(0.1, INF, KERNEL),
    ),
    "friendly": (
        {"ascent": ascents.Friendly(0.7, 0.8)},
        lambda: by_hand.friendly(0.7, 0.8),
    ),
    "averaged": ({"ascent": ascents.Averaged(0.3)}, lambda: by_hand.averaged(0.3)),
    "momentum": ({"ascent": ascents.Momentum(0.6)}, lambda: by_hand.momentum(0.6)),
    "last step": ({"ascent": ascents.LastStep()}, by_hand.last_step),
    "layer": (
        {"ascent": ascents.LpBall(variables=keras.layers.BatchNormalization)},
        by_hand.selected(~KERNEL),
    ),
    "name": (
        {"ascent": ascents.LpBall(variables="kernel$")},
        by_hand.selected(KERNEL),
    ),
    "callable": (
        {"ascent": ascents.LpBall(variables=[never, keras.layers.Dense])},
        by_hand.selected(np.repeat([True, False], [10, 2])),
    ),
    "gsam": ({"descent": descents.GSAM(0.3)}, by_hand.gsam(0.3)),
    "weighted": ({"descent": descents.Weighted(0.8)}, by_hand.weighted(0.8)),
    "stable": ({"descent": descents.Stable()}, by_hand.rule(by_hand.stable)),
    "every": ({"schedule": schedules.Every(2)}, by_hand.every(2)),
    "look": (
        {"schedule": schedules.Every(2, reuse=0.6)},
        lambda: by_hand.look(2, 0.6),
    ),
    "between": ({"schedule": schedules.Between(1, 3)}, by_hand.between(1, 3)),
    "late": ({"schedule": schedules.Between(3)}, by_hand.between(3, INF)),
    "adaptive schedule": (
        {"schedule": schedules.Adaptive(c=0.2, decay=0.7)},
        lambda: by_hand.adaptive_schedule(0.2, 0.7),
    ),
    "fraction": (
        {"schedule": schedules.Fraction(0.4)},
        by_hand.fraction(slice(0, 3)),
    ),
}


@pytest.mark.parametrize("mode", long_if_eager(MODES))
@pytest.mark.parametrize("variant", VARIANTS)
def test_by_hand(variant, mode):
    parts, rule = VARIANTS[variant]
    model = keras_sam.SAMModel(*network(), rho=RHO, **parts)
    model.compile(keras.optimizers.SGD(RATE), "mse", **mode)
    expected = train_by_hand(rule, flat(model.trainable_weights))
    for batch in batches():
        model.train_on_batch(*batch)
    np.testing.assert_allclose(flat(model.trainable_weights), expected, rtol=1e-11)


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


def test_between_epochs():
    """Two steps an epoch, of which the second one climbs."""
    x, y, _ = data(8)
    make = [
        lambda: {"schedule": schedules.Between(1, 2, unit="epochs")},
        lambda: {"schedule": schedules.Between(2, 4)},
    ]
    results = []
    for settings in make:
        keras.utils.set_random_seed(0)
        model = keras_sam.SAMModel(*network(), rho=RHO, **settings())
        model.compile(keras.optimizers.SGD(RATE), "mse")
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        results.append(flat(model.trainable_weights))
    np.testing.assert_array_equal(*results)


def test_adaptive_decides_by_mean_and_deviation():
    schedule = schedules.Adaptive(c=0.2, decay=0.7)
    memory, mean, variance = schedule.init([]), 0.0, 0.0
    decisions = []
    for square in np.random.default_rng(0).uniform(0.5, 2, 30):
        gradient = keras.ops.convert_to_tensor(np.full(4, (square / 4) ** 0.5))
        climbs, memory = schedule.climbs(None, [gradient], memory)
        mean = 0.7 * mean + 0.3 * square
        variance = 0.7 * variance + 0.3 * (square - mean) ** 2
        decisions.append(bool(climbs))
        assert decisions[-1] == (square >= mean + 0.2 * variance**0.5)
        np.testing.assert_allclose([array(v) for v in memory], [mean, variance], rtol=1e-5)
    assert {*decisions} == {True, False}


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

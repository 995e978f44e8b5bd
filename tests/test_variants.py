"""Each variant, some steps by hand in NumPy and float64."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents, schedules
from tests import by_hand
from tests.by_hand import RHO, flat
from tests.helpers import MODES, array, long_if_eager
from tests.regression import RATE, Normalized, data, network
from tests.rules import ASCENTS, DESCENTS, SCHEDULES

pytestmark = pytest.mark.usefixtures("float64")
INF = float("inf")
SHAPES = [(4, 2), (2,), (2,)]
KERNEL = np.repeat([True, False], [8, 4])  # the kernel, then gamma and beta
STEPS = 5


def split(flat):
    ends = np.cumsum([np.prod(shape) for shape in SHAPES])
    return [v.reshape(s) for v, s in zip(np.split(flat, ends[:-1]), SHAPES)]


def batches():
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        yield rng.normal(size=(6, 4)), rng.normal(size=(6, 2)), rng.uniform(0.5, 2, 6)


def train_by_hand(rule, w):
    hand = Normalized(*split(w))
    steps = rule()
    next(steps)
    for batch in batches():

        def gradient(w, rows=slice(None), batch=batch, error_at=None):
            part = [a[rows] for a in batch]
            d = None if error_at is None else hand.error(split(error_at), *part)
            return flat(hand.loss_and_gradients(split(w), *part, d)[1])

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
    # Of a (4, 2) kernel, and of two weights with 2 entries.
    "layerwise": (
        {"ascent": ascents.Layerwise()},
        by_hand.layerwise(np.where(KERNEL, 2 / 4, 2)),
    ),
    "preconditioned": (
        {"ascent": ascents.Preconditioned(0.8, epsilon=0.01)},
        lambda: by_hand.preconditioned(0.8, 0.01),
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
    "functional": ({"descent": descents.Functional()}, by_hand.rule(by_hand.functional)),
    "gsam": ({"descent": descents.GSAM(0.3)}, by_hand.gsam(0.3)),
    "weighted": ({"descent": descents.Weighted(0.8)}, by_hand.weighted(0.8)),
    "stable": ({"descent": descents.Stable()}, by_hand.rule(by_hand.stable)),
    "every": ({"schedule": schedules.Every(2)}, by_hand.every(2)),
    "look": (
        {"schedule": schedules.Every(2, reuse=0.6)},
        lambda: by_hand.look(2, 0.6),
    ),
    "between": ({"schedule": schedules.Between(1, 3)}, lambda: by_hand.between(1, 3)),
    "late": ({"schedule": schedules.Between(3)}, lambda: by_hand.between(3, INF)),
    "adaptive schedule": (
        {"schedule": schedules.Adaptive(c=0.2, decay=0.7)},
        lambda: by_hand.adaptive_schedule(0.2, 0.7),
    ),
    "fraction": (
        {"schedule": schedules.Fraction(0.4)},
        by_hand.fraction(slice(0, 3)),
    ),
    # Of 6 examples a quarter is 2, and an eighth is 1.
    "every, a quarter": (
        {"schedule": schedules.Every(2, fraction=0.25)},
        by_hand.every_by(2, slice(0, 2)),
    ),
    "adaptive schedule, a quarter": (
        {"schedule": schedules.Adaptive(c=0.2, decay=0.7, fraction=0.25)},
        lambda: by_hand.adaptive_schedule(0.2, 0.7, slice(0, 2)),
    ),
    "look, an eighth": (
        {"schedule": schedules.Every(2, reuse=0.7, fraction=0.125)},
        lambda: by_hand.look(2, 0.7, slice(0, 1)),
    ),
    "adaptive schedule, reused": (
        {"schedule": schedules.Adaptive(c=0.2, decay=0.7, reuse=0.6)},
        lambda: by_hand.adaptive_schedule(0.2, 0.7, alpha=0.6),
    ),
    "adaptive schedule, a quarter, reused": (
        {"schedule": schedules.Adaptive(c=0.2, decay=0.7, fraction=0.25, reuse=0.6)},
        lambda: by_hand.adaptive_schedule(0.2, 0.7, slice(0, 2), alpha=0.6),
    ),
    "between, half, reused": (
        {"schedule": schedules.Between(1, 3, fraction=0.5, reuse=0.6)},
        lambda: by_hand.between(1, 3, slice(0, 3), alpha=0.6),
    ),
    "always, half": (
        {"schedule": schedules.Schedule(fraction=0.5)},
        by_hand.fraction(slice(0, 3)),
    ),
}


def test_each_rule_is_by_hand():
    """The plainest are in `test_step`, and directions by no rule in `test_ascents`."""
    rules = [rule for settings, _ in VARIANTS.values() for rule in settings.values()]
    elsewhere = {ascents.RandomDirection, descents.Perturbed}
    everything = [*ASCENTS.values(), *DESCENTS.values(), *SCHEDULES.values()]
    assert {type(rule) for rule in rules} | elsewhere == {
        type(make()) for make in everything
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


def test_what_is_by_hand_does_both():
    """Each adaptive one climbs on some of the steps, and not on the others."""
    for rows in (slice(None), slice(0, 2)):
        rule = by_hand.adaptive_schedule(0.2, 0.7, rows)
        keras.utils.set_random_seed(0)
        w = flat(keras.Model(*network()).trainable_weights)
        next(rule)
        climbed = []
        for batch in batches():

            def gradient(w, rows=slice(None), batch=batch):
                part = [a[rows] for a in batch]
                return flat(Normalized(*split(w)).loss_and_gradients(split(w), *part)[1])

            update = rule.send((gradient, w))
            climbed.append(not np.array_equal(update, gradient(w)))
            w = w - RATE * update
        assert {*climbed} == {True, False}


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

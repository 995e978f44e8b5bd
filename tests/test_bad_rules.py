"""A clear error for each mistake in a part."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.helpers import assert_identical
from tests.models import classify, rows, small
from tests.rules import INF

# For float32 or int32, in which a step computes, or even for a float.
HUGE = 10**400
TOO_LARGE = [
    (lambda: ascents.Adaptive(eta=1e39), "`eta` must be a finite number in"),
    (lambda: ascents.Friendly(sigma=-HUGE), "`sigma` must be a finite number in"),
    (lambda: descents.GSAM(alpha=1e300), "`alpha` must be a finite number in"),
    (lambda: descents.Weighted(HUGE), r"`gamma` must be a finite number in \[0, 1\]"),
    (lambda: schedules.Adaptive(c=HUGE), "`c` must be a finite number in"),
    (lambda: schedules.Every(2, reuse=1e39), "`reuse` must be a finite number in"),
    (lambda: schedules.Fraction(HUGE), r"`fraction` must be a finite number in \[0, 1\]"),
    (lambda: schedules.RhoByLearningRate(0, 1e39, 0.1), "`rho_max` must be a finite"),
    (lambda: schedules.Every(2**31), "`k` must be a positive integer and at most 21474"),
    (lambda: schedules.Between(2**31), "`start` must be an integer of at least 0 and at"),
    (lambda: schedules.Between(0, HUGE), "`end` must be an integer of at least 0 and at"),
    (lambda: ascents.LpBall(steps=10**10), "`steps` must be a positive integer and at"),
    (lambda: ascents.RandomDirection(seed=10**10), "`seed` must be an integer of at least"),
    (lambda: ascents.RandomDirection(seed=-1), "`seed` must be an integer of at least 0"),
    (lambda: keras_sam.SAMModel(*small(), m=2**31), "`m` must be a positive integer of at"),
]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: ascents.LpBall(steps=0), "`steps` must be a positive integer"),
        (lambda: ascents.LpBall(steps=2.0), "`steps` must be a positive integer"),
        (lambda: ascents.LpBall(1.5, steps=2), "`steps` above 1 need"),
        (lambda: ascents.LpBall(variables=3), "`variables` must be a layer class"),
        (lambda: ascents.LpBall(variables=[]), "`variables` must be a layer class"),
        (lambda: ascents.LpBall(variables=dict), "`variables` must be a layer class"),
        (lambda: ascents.Adaptive(3), "`p` must be 2 or inf"),
        (lambda: ascents.Adaptive(eta=-1), "`eta` must be a finite number"),
        (lambda: ascents.Layerwise(fans=3), "`fans` must be callable"),
        (lambda: ascents.Layerwise(variables=3), "`variables` must be a layer class"),
        (lambda: ascents.Preconditioned(1), "`beta` must be below 1"),
        (lambda: ascents.Preconditioned(-0.1), r"`beta` must be .* in \[0, 1\]"),
        (lambda: ascents.Preconditioned(epsilon=0), "`epsilon` must be above 0"),
        (lambda: ascents.Preconditioned(epsilon=INF), "`epsilon` must be a finite number"),
        (lambda: ascents.Friendly(sigma="1"), "`sigma` must be a finite number"),
        (lambda: ascents.Friendly(lambda_=1.5), r"`lambda_` must be .* in \[0, 1\]"),
        (lambda: ascents.Averaged(float("nan")), "`theta` must be a finite number"),
        (lambda: ascents.Momentum(2), "`momentum` must be a finite number"),
        (lambda: descents.GSAM(None), "`alpha` must be a finite number"),
        (lambda: descents.Weighted(1), "`gamma` must be below 1"),
        (lambda: schedules.Every(0), "`k` must be a positive integer"),
        (lambda: schedules.Every(2, reuse=-1), "`reuse` must be a finite number"),
        (lambda: schedules.Between(-1), "`start` must be"),
        (lambda: schedules.Between(5, 4), "`end` must be"),
        (lambda: schedules.Between(1.5), "`start` must be"),
        (lambda: schedules.Between(unit="hours"), "`unit` must be"),
        (lambda: schedules.Fraction(0), "`fraction` must be above 0"),
        (lambda: schedules.Schedule(0), "`fraction` must be above 0"),
        (lambda: schedules.Every(2, fraction=0), "`fraction` must be above 0"),
        (lambda: schedules.Between(fraction="1"), "`fraction` must be a finite number"),
        (lambda: schedules.Adaptive(reuse=-1), "`reuse` must be a finite number"),
        (lambda: schedules.Fraction(2), "`fraction` must be a finite number"),
        (lambda: schedules.Adaptive(c=INF), "`c` must be a finite number"),
        (lambda: schedules.RhoByLearningRate(0, 1, 0.1, 0.2), "`lr_min` must be below"),
        *TOO_LARGE,
        (lambda: keras_sam.SAMModel(*small(), descent="sam"), "`descent` must be one of"),
        (lambda: keras_sam.SAMModel(*small(), schedule=5), "`schedule` must be one of"),
        (lambda: keras_sam.SAMModel(*small(), second_order=1), "`second_order` must be"),
    ],
)
def test_bad_values(make, message):
    with pytest.raises(ValueError, match=message + ".*Received: "):
        make()


def test_a_descent_without_a_rule():
    class Nothing(descents.Descent):
        pass

    with pytest.raises(TypeError, match=r"Nothing.* abstract method .*__call__"):
        Nothing()


def test_a_selection_of_nothing():
    ascent = ascents.LpBall(variables=[keras.layers.Conv2D, "no such name"])
    model = classify(keras_sam.SAMModel(*small(), ascent=ascent))
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"selects none .*Conv2D.*no such name"):
        model.fit(*rows(), verbose=0)
    assert_identical(model.get_weights(), before)


@pytest.mark.parametrize(
    "make",
    [
        lambda: schedules.Every(2**31 - 1),
        lambda: schedules.Between(2**31 - 2, 2**31 - 1),
        lambda: schedules.Between(2**31 - 1, unit="epochs"),
    ],
)
def test_the_largest_numbers_of_steps(make):
    model = classify(keras_sam.SAMModel(*small(), rho=0.5, schedule=make()))
    sharpness = model.fit(*rows(), batch_size=24, epochs=2, verbose=0).history["sharpness"]
    assert sharpness[1] == 0  # One step climbs at the most, the first.


def test_the_largest_p():
    assert ascents.LpBall(HUGE).p == INF
    assert ascents.RandomDirection(seed=np.int64(3)).get_config()["seed"] == 3

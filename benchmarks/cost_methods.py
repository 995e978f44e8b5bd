"""The ways to climb that are compared, and what has been held against SAM beside them."""

import dataclasses
from collections.abc import Callable

import keras
from cost_ascents import Bfloat16, HalfResolution
from cost_schedules import BetweenEvery, ByLastStep, Counted, Stable

import keras_sam
from keras_sam import ascents, schedules


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to train.

    Attributes:
        passes: Float, what a step costs, in passes over a batch, as it was predicted. Of
            those that decide by the gradient, with the part of the steps that climbed on
            digits in an earlier run: a third, and 15 % with c = 1.
        rules: Function of the task's regular expressions and epochs to `SAMModel`'s
            arguments, or `None` for plain training.
        rhos: Tuple of floats, to begin with.
        others: Dict of what else is chosen: tuples of values by name.
        decay: String, how the learning rate falls: "cosine", "steps" or "stable".
        longer: Integer, how many times the epochs it trains.
        model: The model's class.
    """

    passes: float
    rules: Callable | None = None
    rhos: tuple = ()
    others: dict = dataclasses.field(default_factory=dict)
    decay: str = "cosine"
    longer: int = 1
    model: type = keras_sam.SAMModel


def sam(schedule=None, ascent=None, layers=None, m=None):
    """The rules, of which `schedule` and `ascent` are functions that make them."""

    def rules(parts, epochs):
        chosen = {"m": m}
        if schedule:
            chosen["schedule"] = schedule()
        if ascent or layers:
            variables = {"variables": parts[layers]} if layers else {}
            chosen["ascent"] = (ascent or ascents.LpBall)(**variables)
        return chosen

    return rules


def late(part, schedule=schedules.Between, m=None, **kwargs):
    def rules(parts, epochs):
        start = epochs - round(part * epochs)
        return {"schedule": schedule(start, unit="epochs", **kwargs), "m": m}

    return rules


def fraction(part):
    return sam(lambda: schedules.Fraction(part))


def every(*args, **kwargs):
    return sam(lambda: schedules.Every(*args, **kwargs))


# The gradient of all examples, and what is kept of the step is not of its pass.
ALL = fraction(0.9999)
SMALL, USUAL, LARGE = (0.05, 0.1, 0.2), (0.1, 0.2, 0.4), (0.4, 0.8, 1.6)
EMA = {"ema": (0.9, 0.98)}
PENALTIES = {"penalty": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)}

METHODS = {
    "plain": Method(1),
    "plain, averaged weights": Method(1, others=EMA),
    "plain, L2 of the head and its input": Method(1, others=PENALTIES),
    "plain, rate in steps": Method(1, decay="steps"),
    "plain, rate stable": Method(1, decay="stable"),
    "plain, twice the epochs": Method(2, longer=2),
    "SAM": Method(2, sam(), USUAL),
    "SAM, m = 16": Method(2, sam(m=16), SMALL),
    "SAM, m = 4": Method(2, sam(m=4), (0.01, 0.02, 0.05)),
    "SAM, averaged weights": Method(2, sam(), USUAL, EMA),
    "SAM, rate in steps": Method(2, sam(), USUAL, decay="steps"),
    "SAM, rate stable": Method(2, sam(), USUAL, decay="stable"),
    "ASAM": Method(2, sam(ascent=ascents.Adaptive), (1.0, 2.0, 4.0)),
    "the head": Method(1, sam(layers="the head"), LARGE),
    "the top": Method(1.4, sam(layers="the top"), USUAL),
    "norm layers": Method(1.7, sam(layers="norm layers"), LARGE),
    "a quarter": Method(1.25, fraction(1 / 4), USUAL),
    "an eighth": Method(1.125, fraction(1 / 8), USUAL),
    "a sixteenth": Method(1.0625, fraction(1 / 16), USUAL),
    "half resolution": Method(1.25, ALL, USUAL, model=HalfResolution),
    "half resolution, a quarter": Method(
        1.0625, fraction(1 / 4), USUAL, model=HalfResolution
    ),
    "bfloat16": Method(1.5, ALL, USUAL, model=Bfloat16),
    "every 5th step": Method(1.2, every(5), LARGE),
    "every 2nd step, an eighth": Method(1.0625, every(2, fraction=1 / 8), USUAL),
    "LookSAM, k = 5": Method(1.2, every(5, reuse=0.7), USUAL),
    "LookSAM, k = 2, an eighth": Method(1.0625, every(2, reuse=0.7, fraction=1 / 8), USUAL),
    "last quarter": Method(1.25, late(1 / 4), USUAL),
    "last quarter, rate in steps": Method(1.25, late(1 / 4), USUAL, decay="steps"),
    "last half, rate in steps": Method(1.5, late(1 / 2), USUAL, decay="steps"),
    "last 15 %, rate in steps": Method(1.15, late(0.15), USUAL, decay="steps"),
    "last quarter, a half, rate in steps": Method(
        1.125, late(1 / 4, fraction=1 / 2), USUAL, decay="steps"
    ),
    "last quarter, every 2nd step, rate in steps": Method(
        1.125, late(1 / 4, BetweenEvery), USUAL, decay="steps"
    ),
    "last 15 %, rate stable": Method(1.15, late(0.15), USUAL, decay="stable"),
    "last 15 %, m = 16, rate stable": Method(1.15, late(0.15, m=16), SMALL, decay="stable"),
    "last 15 %, a half, rate stable": Method(
        1.075, late(0.15, fraction=1 / 2), USUAL, decay="stable"
    ),
    "last quarter, m = 16, rate in steps": Method(
        1.25, late(1 / 4, m=16), SMALL, decay="steps"
    ),
    "AE-SAM, c = 0.5": Method(1.33, sam(lambda: Counted(0.5)), LARGE),
    "AE-SAM, c = 1": Method(1.15, sam(lambda: Counted(1)), LARGE),
    "AE-SAM, c = 0.5, last 40 %, rate in steps": Method(
        1.13, late(0.4, lambda start, unit: Counted(0.5, start)), LARGE, decay="steps"
    ),
    "AE-SAM, c = 1, reused": Method(1.15, sam(lambda: Counted(1, reuse=0.7)), LARGE),
    "by the last step": Method(1.33, sam(lambda: ByLastStep(0.5)), LARGE),
    "by the last step, a quarter": Method(
        1.08, sam(lambda: ByLastStep(0.5, fraction=1 / 4)), LARGE
    ),
    "Momentum": Method(1, sam(ascent=ascents.Momentum), USUAL),
    "LastStep": Method(1, sam(ascent=ascents.LastStep), USUAL),
}


def learning_rate(decay, rate, steps):
    """The schedule of so many steps.

    A cosine to 0; or a tenth after half of the steps and a hundredth after seven eighths,
    where the rate is still alive at the end; or stable until the last 15 %, in which it
    falls to 0 linearly.
    """
    kinds = keras.optimizers.schedules
    if decay == "cosine":
        return kinds.CosineDecay(rate, steps)
    if decay == "steps":
        bounds = [steps // 2, steps * 7 // 8]
        return kinds.PiecewiseConstantDecay(bounds, [rate, rate / 10, rate / 100])
    return Stable(rate, steps)

"""All ascents, descents and schedules: one list, which `test_rules` holds to be whole."""

import keras

from keras_sam import ascents, descents, schedules

INF = float("inf")
ASCENTS = {
    "ball": lambda: ascents.LpBall(),
    "steps": lambda: ascents.LpBall(INF, steps=2),
    "adaptive": lambda: ascents.Adaptive(),
    "random": lambda: ascents.RandomDirection(seed=3),
    "friendly": lambda: ascents.Friendly(),
    "averaged": lambda: ascents.Averaged(variables=keras.layers.Dense),
    "momentum": lambda: ascents.Momentum(),
    "last": lambda: ascents.LastStep(variables="kernel"),
    "layerwise": lambda: ascents.Layerwise(),
    "preconditioned": lambda: ascents.Preconditioned(0.9),
}
DESCENTS = {
    "perturbed": lambda: descents.Perturbed(),
    "gsam": lambda: descents.GSAM(),
    "weighted": lambda: descents.Weighted(),
    "stable": lambda: descents.Stable(),
    "functional": lambda: descents.Functional(),
}
SCHEDULES = {
    "always": lambda: schedules.Schedule(),
    "every": lambda: schedules.Every(2),
    "look": lambda: schedules.Every(2, reuse=0.5),
    "between": lambda: schedules.Between(1, 3),
    "epochs": lambda: schedules.Between(1, unit="epochs"),
    "adaptive": lambda: schedules.Adaptive(),
    "fraction": lambda: schedules.Fraction(0.5),
    "every, half": lambda: schedules.Every(2, fraction=0.5),
    "look, half": lambda: schedules.Every(2, reuse=0.5, fraction=0.5),
    "adaptive, half, reused": lambda: schedules.Adaptive(fraction=0.5, reuse=0.5),
}
# Schedules that are yet to be told on how many examples, and what is in between.
SOME = {
    "every": lambda **k: schedules.Every(2, **k),
    "between": lambda **k: schedules.Between(1, 3, "steps", **k),
    "adaptive": lambda **k: schedules.Adaptive(0.5, 0.7, **k),
    "always": lambda **k: schedules.Schedule(**k),
}


def rules(ascent="ball", descent="perturbed", schedule="always"):
    return {
        "ascent": ASCENTS[ascent](),
        "descent": DESCENTS[descent](),
        "schedule": SCHEDULES[schedule](),
    }


def possible(ascent, descent, schedule):
    """Whether these go together: all do, but those that say why not."""
    return descent != "functional" or SCHEDULES[schedule]().fraction == 1

"""A small model, data for it, and what it may be trained by."""

import keras
import numpy as np

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
}
DESCENTS = {
    "perturbed": lambda: descents.Perturbed(),
    "gsam": lambda: descents.GSAM(),
    "weighted": lambda: descents.Weighted(),
    "stable": lambda: descents.Stable(),
}
SCHEDULES = {
    "always": lambda: schedules.Schedule(),
    "every": lambda: schedules.Every(2),
    "look": lambda: schedules.Every(2, reuse=0.5),
    "between": lambda: schedules.Between(1, 3),
    "epochs": lambda: schedules.Between(1, unit="epochs"),
    "adaptive": lambda: schedules.Adaptive(),
    "fraction": lambda: schedules.Fraction(0.5),
}


def parts(ascent="ball", descent="perturbed", schedule="always"):
    return {
        "ascent": ASCENTS[ascent](),
        "descent": DESCENTS[descent](),
        "schedule": SCHEDULES[schedule](),
    }


def small():
    inputs = keras.Input((8,))
    x = keras.layers.Dense(4)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.3, seed=1)(x)
    return inputs, keras.layers.Dense(3)(x)


def rows(n=24):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 8)).astype("float32"), rng.integers(0, 3, n)

"""Models whose rules remember, on several replicas."""

import contextlib

import keras
import numpy as np

import keras_sam
from keras_sam import ascents, schedules
from tests.helpers import BACKEND
from tests.jax_devices import data_parallel
from tests.models import classify
from tests.replicas import mirrored

REPLICAS, LOCAL = 2, 4

REMEMBERING = {
    "averaged": {"ascent": lambda: ascents.Averaged(0.25)},
    "friendly": {"ascent": lambda: ascents.Friendly(0.5, 0.75)},
    "last": {"ascent": lambda: ascents.LastStep()},
    "momentum": {"ascent": lambda: ascents.Momentum(0.5)},
    "preconditioned": {"ascent": lambda: ascents.Preconditioned(0.5, epsilon=0.01)},
    "look": {"schedule": lambda: schedules.Every(2, reuse=0.5)},
    "look, half": {"schedule": lambda: schedules.Every(2, reuse=0.5, fraction=0.5)},
    "adaptive": {"schedule": lambda: schedules.Adaptive(0.5)},
}


def network():
    inputs = keras.Input((6,))
    return inputs, keras.layers.Dense(3)(keras.layers.Dense(4, activation="relu")(inputs))


def data(steps=4):
    rng = np.random.default_rng(0)
    n = steps * REPLICAS * LOCAL
    return rng.normal(size=(n, 6)).astype("float32"), rng.integers(0, 3, n)


@contextlib.contextmanager
def replicated(count=REPLICAS):
    if BACKEND == "tensorflow":
        with mirrored(count).scope():
            yield
        return
    keras.distribution.set_distribution(data_parallel(count)())
    try:
        yield
    finally:
        keras.distribution.set_distribution(None)


def make(name, rate=0.1, m=None, **kwargs):
    keras.utils.set_random_seed(1)
    parts = {part: create() for part, create in REMEMBERING[name].items()}
    model = keras_sam.SAMModel(*network(), rho=0.2, m=m, **parts, **kwargs)
    return classify(model, keras.optimizers.SGD(rate))


def train(model, x, y, batch_size):
    model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
    return model


def memory(model):
    """With a replica's axis first. What LookSAM keeps is a direction, at any scale."""
    values = [v for vs in model._sharpness_aware.memory.values().values() for v in vs]
    if getattr(model.schedule, "reuses", False):
        squares = sum((v**2).reshape(len(v), -1).sum(1) for v in values)
        values = [v / squares.reshape(-1, *[1] * (v.ndim - 1)) ** 0.5 for v in values]
    return values

"""One run of a setting, and the choice between settings."""

import math
import time
from typing import NamedTuple

import keras
import numpy as np
from forecasting_model import build_network

import keras_sam


class Setting(NamedTuple):
    """How a network is trained: plainly, with frozen attention, or sharpness-aware."""

    method: str  # "plain", "frozen" or "SAM"
    rho: float | None
    learning_rate: float


class Errors(keras.callbacks.Callback):
    """The mean squared errors on validation and test windows after each epoch."""

    def __init__(self, splits):
        super().__init__()
        self.parts = {"validation": splits.validation, "test": splits.test}
        self.values = {part: [] for part in self.parts}

    def on_epoch_end(self, epoch, logs=None):
        for part, (x, y) in self.parts.items():
            predictions = self.model.predict(x, batch_size=1000, verbose=0)
            self.values[part].append(np.mean((predictions - y) ** 2, dtype="float64"))


def make(setting, splits, steps, normalized=False):
    """A compiled model, whose learning rate falls to 0 within `steps` (half a cosine)."""
    x, y = splits.train
    frozen = setting.method == "frozen"
    network = build_network(*x.shape[1:], y.shape[-1], frozen, normalized)
    if setting.method == "SAM":
        model = keras_sam.SAMModel(*network, rho=setting.rho)
    else:
        model = keras.Model(*network)
    rate = keras.optimizers.schedules.CosineDecay(setting.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


def train(setting, seed, splits, epochs, batch_size, normalized=False):
    """One run of `fit`.

    Returns:
        Dict with the setting, the seed, the seconds, and after each epoch the training
        loss and the errors on validation and test windows.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    x, y = splits.train
    steps = epochs * math.ceil(len(x) / batch_size)
    model = make(setting, splits, steps, normalized)
    errors = Errors(splits)
    start = time.perf_counter()
    history = model.fit(
        x, y, batch_size=batch_size, epochs=epochs, callbacks=[errors], verbose=0
    )
    seconds = round(time.perf_counter() - start, 1)
    curves = {"loss": history.history["loss"], **errors.values}
    rounded = {name: [float(f"{v:.6g}") for v in curve] for name, curve in curves.items()}
    return {**setting._asdict(), "seed": seed, "seconds": seconds, **rounded}


def by_setting(runs):
    """Dict from `Setting` to its runs, in the order of the runs."""
    groups = {}
    for run in runs:
        setting = Setting(*(run[name] for name in Setting._fields))
        groups.setdefault(setting, []).append(run)
    return groups


def best(settings, runs):
    """The setting with the lowest validation error, the mean of its runs' best epochs."""
    if len(settings) == 1:
        return settings[0]
    groups = by_setting(runs)
    errors = {
        s: np.mean([np.min(run["validation"]) for run in groups[s]]) for s in settings
    }
    # A run that diverged has no number.
    return min(settings, key=lambda s: np.nan_to_num(errors[s], nan=np.inf))

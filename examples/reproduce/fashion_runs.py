"""What `fashion.py` runs: changes of the recipe's settings, in parts."""

import itertools

import numpy as np
from recipes import fashion_mnist_small
from settings import of

NOISE = [0.2, 0.4, 0.6, 0.8]


def grid(**values):
    """List of dicts, one for each combination of the values."""
    return [dict(zip(values, some)) for some in itertools.product(*values.values())]


def tuning(**values):
    """The same, tested on validation images."""
    return grid(**values, validation=[True])


# What the choices were made by: the error after the last epoch, the mean of seeds 0 and 1.
# Plain training first: learning rate and weight decay, then epochs. The rest at the best of
# these, which is in recipes/fashion_mnist_small.py.
TUNE = {
    "tune_plain": tuning(
        rho=[0.0],
        learning_rate=[0.03, 0.1, 0.3, 1.0],
        weight_decay=[5e-4, 2e-3, 8e-3, 3e-2],
    )
    + tuning(rho=[0.0], learning_rate=[0.03, 0.1], weight_decay=[0.1]),
    "tune_epochs": tuning(rho=[0.0], epochs=[10, 40, 80]),
    "tune_ema": tuning(rho=[0.0], ema=[0.9, 0.98, 0.995]),
    "tune_sam": tuning(rho=[0.02, 0.05, 0.1, 0.2, 0.4])
    + tuning(rho=[0.05, 0.1, 0.2, 0.4], weight_decay=[8e-3])
    + tuning(rho=[0.1, 0.2, 0.4], weight_decay=[2e-3]),
    "tune_asam": tuning(rho=[0.05, 0.1, 0.2, 0.5, 1.0, 2.0], ascent=["adaptive"])
    + tuning(rho=[0.2, 0.5, 1.0, 2.0], ascent=["adaptive"], weight_decay=[8e-3]),
    "tune_m": tuning(m=[4], rho=[0.01, 0.02, 0.05], weight_decay=[8e-3])
    + tuning(m=[16], rho=[0.02, 0.05, 0.1], weight_decay=[8e-3]),
    "tune_noise": tuning(
        noise=NOISE, rho=[0.0], weight_decay=[8e-3, 1.5e-2, 3e-2, 0.1, 0.2]
    )
    + tuning(noise=NOISE, rho=[0.0], mixup=[1.0, 8.0], weight_decay=[2e-3, 8e-3, 3e-2, 0.1])
    + tuning(noise=NOISE, rho=[0.05, 0.1, 0.2], weight_decay=[3e-2, 0.1])
    + tuning(noise=NOISE, rho=[0.1, 0.2, 0.4], weight_decay=[8e-3]),
}

# The chosen settings.
SAM = {"rho": 0.2, "weight_decay": 8e-3}
CLEAN = {
    "plain": {"rho": 0.0},
    "plain, twice the epochs": {"rho": 0.0, "epochs": 40},
    "plain, moving average": {"rho": 0.0, "ema": 0.9},
    "SAM": SAM,
    "SAM, moving average": {**SAM, "ema": 0.9},
    "ASAM": {"rho": 0.1, "ascent": "adaptive"},
}
# The same with wrong labels, but for what trains twice.
MIXUP = {"rho": 0.0, "mixup": 8.0, "weight_decay": 8e-3}
NOISY = {
    part: {"plain": {"rho": 0.0, "weight_decay": decay}, "mixup": MIXUP, "SAM": SAM}
    for part, decay in zip(NOISE, [3e-2, 3e-2, 3e-2, 1.5e-2])
}
# Radii around the best one: the fewer examples share a perturbation, the smaller it is.
RADII = {
    4: [0.005, 0.01, 0.02, 0.05, 0.1],
    16: [0.01, 0.02, 0.05, 0.1, 0.2],
    64: [0.02, 0.05, 0.1, 0.2, 0.4],
    0: [0.02, 0.05, 0.1, 0.2, 0.4],
}
M = [
    {"m": m, "rho": rho, "weight_decay": SAM["weight_decay"], "test_every": 20}
    for m, radii in RADII.items()
    for rho in radii
]

# With batch norm a group also has batch statistics of its own. A radius that moves nothing
# shows what is due to that.
GROUPS_ALONE = [
    {"m": 4, "rho": 1e-6, "weight_decay": SAM["weight_decay"], "test_every": 20},
    {"m": 4, "rho": 1e-6, "test_every": 20},
]


def noisy(part):
    """Dict of the settings of the five methods, with this part of wrong labels."""
    plain, mixup, sam = ({"noise": part, **changes} for changes in NOISY[part].values())
    return {
        "plain": plain,
        "mixup": mixup,
        "bootstrap and mixup": {**mixup, "bootstrap": True},
        "SAM": sam,
        "bootstrap and SAM": {**sam, "bootstrap": True},
    }


PARTS = {
    **TUNE,
    "clean": list(CLEAN.values()),
    "noise": [changes for part in NOISE for changes in noisy(part).values()],
    "m": M + GROUPS_ALONE,
}


def chosen(settings, error, seeds):
    """The one of the settings with the lowest mean of `error(setting, seed)`.

    Two seeds choose, of those that are given.
    """
    means = [np.mean([error(one, seed) for seed in seeds[:2]]) for one in settings]
    return settings[int(np.argmin(means))]


def runs_with(changes, runs):
    """Those of the results that have the recipe's settings with these changes."""
    wanted = vars(of(fashion_mnist_small, changes))
    return [run for run in runs if run["settings"] == wanted]

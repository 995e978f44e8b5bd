"""What `fashion.py` runs: changes of the recipe's settings, in parts."""

import itertools

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
    "tune_noise": tuning(noise=NOISE, rho=[0.0], weight_decay=[8e-3, 3e-2])
    + tuning(noise=NOISE, rho=[0.0], mixup=[1.0, 8.0])
    + tuning(noise=NOISE, rho=[0.05, 0.1, 0.2]),
}

# The chosen settings.
CLEAN = {
    "plain": {"rho": 0.0},
    "plain, twice the epochs": {"rho": 0.0, "epochs": 40},
    "plain, moving average": {"rho": 0.0, "ema": 0.9},
    "SAM": {"rho": 0.2, "weight_decay": 8e-3},
    "SAM, moving average": {"rho": 0.2, "weight_decay": 8e-3, "ema": 0.9},
    "ASAM": {"rho": 0.1, "ascent": "adaptive"},
}
M = grid(m=[4, 16, 64, 0], rho=[0.01, 0.02, 0.05, 0.1, 0.2], test_every=[20])

PARTS = {**TUNE, "clean": list(CLEAN.values()), "m": M}


def runs_with(changes, runs):
    """Those of the results that have the recipe's settings with these changes."""
    wanted = vars(of(fashion_mnist_small, changes))
    return [run for run in runs if run["settings"] == wanted]

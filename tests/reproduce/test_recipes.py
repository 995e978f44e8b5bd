"""Every recipe: its rows, the commands of its header, and a smoke run of it."""

import importlib
import re
import shlex

import numpy as np
import pytest
import settings
from absl.testing import flagsaver
from experiment import Experiment
from report import table
from results import finished
from train import FLAGS, RECIPES

from tests.helpers import BACKEND


def recipe(name):
    return importlib.import_module(f"recipes.{name}")


def given(flags):
    """The settings in flags, as `train.py` reads them."""
    with flagsaver.flagsaver():
        FLAGS(["train.py", *flags])
        values = {name: FLAGS[name].value for name in settings.FIELDS}
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("name", RECIPES)
def test_rows(name):
    """Their flags are those of `train.py`, go together, and name each run once."""
    rows = recipe(name).ROWS
    for row in rows:
        for flags in row.flags:
            changes = settings.parse(flags)
            assert changes == given([f"--recipe={name}", *flags.split()])
            settings.checked(settings.of(recipe(name), changes))
    assert len({(row.table, row.flags) for row in rows}) == len(rows)


@pytest.mark.parametrize("name", RECIPES)
def test_the_commands_of_the_header(name):
    text = recipe(name).__doc__.replace("\\\n", " ").replace("<", "").replace(">", "")
    commands = re.findall(r"^    python (\S+) (.*)$", text, re.M)
    assert commands
    for script, flags in commands:
        assert script == "examples/reproduce/train.py"
        changes = given(shlex.split(flags))
        settings.checked(settings.of(recipe(name), changes))
        assert f"--recipe={name}" in flags.split()


def test_a_settings_own_data_set():
    cifar = recipe("cifar_wrn28_10")
    assert settings.of(cifar, {}).rho == 0.05
    assert settings.of(cifar, {"dataset": "cifar100"}).rho == 0.1
    assert settings.of(cifar, {"dataset": "cifar100", "rho": 0.3}).rho == 0.3


# To compile a step takes longer than to train: a few recipes run as graphs, on TensorFlow,
# and all of the others as they come, on PyTorch. `test_experiment.py` has runs on JAX.
AS_GRAPHS = {"fashion_mnist_mlp", "fashion_mnist_small", "finetune_efficientnet_b7"}
BY_BACKEND = {"tensorflow": AS_GRAPHS, "jax": set(), "torch": {*RECIPES} - AS_GRAPHS}


def perturbed(name):
    """The flags of the first row that is not of plain training."""
    for row in recipe(name).ROWS:
        if settings.of(recipe(name), settings.parse(row.flags[0])).rho:
            return row.flags[0]
    return ""


# The smoke run of these is long, and another recipe has the same network.
LONG = {"finetune_efficientnet_b7"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in LONG else ()) for n in RECIPES],
)
def test_smoke(name, tmp_path):
    if name not in BY_BACKEND[BACKEND]:
        pytest.skip("The recipes are the same on all backends.")
    experiment = Experiment(name, recipe(name), str(tmp_path), smoke=True, verbose=0)
    flags = perturbed(name)
    runs = [
        experiment.run(settings.parse(chosen), seed=0)
        for chosen in (flags, f"{flags} --rho=0")
    ]
    for run in runs:
        assert len(run["epochs"]) == 2
        assert all(np.isfinite(float(epoch["loss"])) for epoch in run["epochs"])
    assert "sharpness" in runs[0]["epochs"][0]
    assert "sharpness" not in runs[1]["epochs"][0]
    if flags:
        assert ", smoke)" in table(name, finished(tmp_path))

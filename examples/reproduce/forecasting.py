"""Forecasting: how far from least squares attention ends, plain and sharpness-aware.

    python examples/reproduce/forecasting.py --task=small --output=small.json
    python examples/reproduce/forecasting.py --csv=ETTh1.csv --output=ETTh1.json
    python examples/reproduce/forecasting.py --report small.json

The task and the network are those of SAMformer (https://arxiv.org/abs/2402.10198). The
future is a linear function of the past, with noise added, so that least squares is the
oracle. The network, attention between channels and a linear map over time, could express
it. It is trained plainly, sharpness-aware, and with queries and keys frozen (the paper's
"Random Transformer").

First each learning rate is tried with each method, and for SAM with each rho, with seeds
of their own. The best learning rate is that with the lowest error on validation windows.
Then each method and each rho is run, at its best rate, with the seeds of the test. What
leaves no choice, as with one `--learning_rate`, is not tried before. A seed draws the task,
the initial weights and the order of the windows. The results go to a JSON file, from which
`--report` makes the tables and the picture.

`--task=paper` has the sizes of the authors' code, https://github.com/romilbert/samformer.
Its learning rate is 0.001.
"""

import json
import os
import platform
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import forecasting_data
import keras
from absl import app, flags
from forecasting_report import report
from forecasting_runs import Setting, best, train

import keras_sam


class Sizes(NamedTuple):
    steps: int
    horizon: int
    windows: list
    scale: float  # of the target
    epochs: int


TASKS = {
    "paper": Sizes(512, 96, [10000, 5000, 2000], 1.0, 100),
    "small": Sizes(128, 32, [2000, 1000, 2000], 128**-0.5, 20),
}
POSITIVE = {"lower_bound": 1e-12}

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "paper", list(TASKS), "Sizes of the linear task.")
flags.DEFINE_string("csv", None, "ETTh1.csv or ETTh2.csv, in the place of the task.")
flags.DEFINE_integer("steps", None, "Length of the past.", lower_bound=1)
flags.DEFINE_integer("horizon", None, "Length of the forecast.", lower_bound=1)
flags.DEFINE_integer("channels", 7, "Channels of the linear task.", lower_bound=1)
flags.DEFINE_list("windows", None, "Windows to train, validate and test: 100,50,50.")
flags.DEFINE_float("scale", None, "Factor of the linear task's target.", **POSITIVE)
flags.DEFINE_integer("epochs", None, "Passes over the training windows.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "Windows in a step.", lower_bound=1)
flags.DEFINE_multi_float(
    "learning_rate", [0.001, 0.003, 0.01, 0.03, 0.1], "Adam's, to try.", **POSITIVE
)
flags.DEFINE_multi_float("rho", [0.1, 0.2, 0.5, 1.0], "Radii to try.", **POSITIVE)
flags.DEFINE_integer("seeds", 5, "Runs of each setting, for the test.", lower_bound=2)
flags.DEFINE_integer("tuning_seeds", 2, "Runs to choose a setting by.", lower_bound=1)
flags.DEFINE_string("output", None, "The JSON file to write.")
flags.DEFINE_bool("report", False, "Print and plot the JSON files that are named.")
flags.DEFINE_string("picture", "forecasting.png", "Where `--report` saves the picture.")


@flags.validator("windows", "It must be three positive numbers: 100,50,50.")
def _three(windows):
    return windows is None or (
        len(windows) == 3 and all(w.isdecimal() and int(w) for w in windows)
    )


def sizes():
    """The task's sizes, with those that a flag sets."""
    given = {name: FLAGS[name].value for name in Sizes._fields if FLAGS[name].present}
    if "windows" in given:
        given["windows"] = [int(number) for number in given["windows"]]
    return TASKS[FLAGS.task]._replace(**given)


def loader():
    """A function from a seed to `Splits`. Those of a file are the same for all seeds."""
    steps, horizon, windows, scale, _ = sizes()
    if not FLAGS.csv:
        return lambda seed: forecasting_data.linear_task(
            steps, horizon, FLAGS.channels, windows, seed, scale
        )
    try:
        values = forecasting_data.read_ett(FLAGS.csv)
        splits = forecasting_data.ett_task(values, steps, horizon)
    except (OSError, ValueError) as error:
        raise app.UsageError(f"--csv={FLAGS.csv}: {error}") from error
    return lambda seed: splits


def run(settings, seeds, load):
    """Trains with each setting and each seed."""
    normalized = bool(FLAGS.csv)
    runs = []
    for seed in seeds:
        splits = load(seed)
        linear = forecasting_data.linear_errors(splits, centered=normalized)
        for setting in settings:
            one = train(setting, seed, splits, sizes().epochs, FLAGS.batch_size, normalized)
            runs.append({**one, "least_squares": linear})
            excess = min(one["validation"]) - linear["validation"]
            print(f"{setting}, seed {seed}: validation excess {excess:.5f}", flush=True)
    return runs


def measure(load):
    """All runs: those to choose learning rates and rho by, and those of the test."""
    kinds = [("plain", None), ("frozen", None), *(("SAM", rho) for rho in FLAGS.rho)]
    grid = [[Setting(*kind, rate) for rate in FLAGS.learning_rate] for kind in kinds]
    methods = {"plain": grid[0], "frozen": grid[1], "SAM": [s for g in grid[2:] for s in g]}
    open_ones = [s for group in methods.values() if len(group) > 1 for s in group]
    tuning = run(open_ones, range(100, 100 + FLAGS.tuning_seeds), load)
    return {
        "chosen": {method: best(group, tuning) for method, group in methods.items()},
        "tuning": tuning,
        "test": run([best(group, tuning) for group in grid], range(FLAGS.seeds), load),
    }


def describe(splits):
    """What is run, with what, and on what."""
    packages = "numpy", "keras", keras.backend.backend()
    return {
        "task": Path(FLAGS.csv).name if FLAGS.csv else FLAGS.task,
        "settings": {
            "steps": sizes().steps,
            "horizon": sizes().horizon,
            "channels": splits.train[0].shape[1],
            "windows": [len(x) for x, _ in splits],
            "target": "standardized" if FLAGS.csv else f"{sizes().scale:.4g} (x w + e)",
            "epochs": sizes().epochs,
            "batch size": FLAGS.batch_size,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: import_module(name).__version__ for name in packages},
            "keras_sam": keras_sam.__version__,
        },
        "device": {
            "devices": str(keras.ops.zeros(()).device),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def main(argv):
    if FLAGS.report and argv[1:]:
        report([Path(name) for name in argv[1:]], FLAGS.picture)
        return
    if FLAGS.report or argv[1:]:
        raise app.UsageError(
            "JSON files and --report go together, and make no other run. "
            f"Received: files={argv[1:]}, --report={FLAGS.report}"
        )
    useless = [f for f in ("channels", "windows", "scale") if FLAGS[f].present]
    if FLAGS.csv and useless:
        raise app.UsageError(f"These are the file's own. Received: --csv and {useless}")
    if not FLAGS.output or not Path(FLAGS.output).parent.is_dir():
        raise app.UsageError(
            f"--output must name a file to write. Received: --output={FLAGS.output}"
        )
    load = loader()
    results = {**describe(load(0)), **measure(load)}
    Path(FLAGS.output).write_text(json.dumps(results) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app.run(main)

"""The results of a run: a JSON file with its settings, versions, device and every epoch."""

import importlib.metadata
import json
import os
import platform
import time
from pathlib import Path

import keras
import numpy as np


def path(folder, recipe, changes, seed, suffix=".json"):
    """The run's file, named after its recipe, its seed and the settings changed."""
    parts = [recipe, *(f"{name}={value}" for name, value in sorted(changes.items()))]
    return Path(folder) / f"{','.join(parts)},seed={seed}{suffix}"


def environment(dtype):
    """What a number may depend on beside the settings."""
    backend = keras.backend.backend()
    packages = {"keras", "keras_sam", "tensorflow", "tensorflow-datasets", backend}
    versions = {}
    for package in sorted(packages):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "backend": backend,
        "versions": {"python": platform.python_version(), **versions},
        "device": _device(backend),
        "dtype": dtype,
    }


def _device(backend):
    if backend == "jax":
        import jax

        names = [device.device_kind for device in jax.devices()]
    elif backend == "torch":
        import torch

        gpus = range(torch.cuda.device_count())
        names = [torch.cuda.get_device_name(i) for i in gpus] or ["cpu"]
    else:
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = map(tf.config.experimental.get_device_details, gpus)
        names = [d.get("device_name", "GPU") for d in details] or ["cpu"]
    cores = f"{os.cpu_count()} cores" if names[0] == "cpu" else ""
    return " ".join(filter(None, [f"{len(names)} x {names[0]}", cores]))


def read(file, run):
    """The results in a file, empty where there is none.

    Raises:
        ValueError: if they are not of this run: a recipe may have changed since.
    """
    if not file.exists():
        return {}
    found = json.loads(file.read_text())
    differ = [name for name, value in run.items() if found[name] != value]
    if differ:
        raise ValueError(
            f"A file of results has other {', '.join(differ)} than this run. Remove it, or "
            f"give another `--output_dir`. Received: file={file}"
        )
    return found


def write(file, run):
    """Replaces the file at once, so that an interruption leaves the old one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(run, indent=1) + "\n")
    unfinished.replace(file)


class Record(keras.callbacks.Callback):
    """Writes the results after each epoch.

    Args:
        file: Where to.
        run: Dict of the results. Its list "epochs" gets a dict of the logs of each, with
            its seconds.
    """

    def __init__(self, file, run):
        super().__init__()
        self.file, self.run = file, run

    def on_epoch_begin(self, epoch, logs=None):
        del self.run["epochs"][epoch:]  # Written, but interrupted before its weights were.
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: _number(value) for name, value in (logs or {}).items()}
        logs["seconds"] = round(time.perf_counter() - self.begun, 3)
        self.run["epochs"].append(logs)
        write(self.file, self.run)


def _number(value):
    """JSON has no number that is not finite."""
    value = float(value)
    return value if np.isfinite(value) else str(value)


def errors(run):
    """The test error after each epoch that was tested, in percent."""
    tested = [epoch for epoch in run["epochs"] if "val_accuracy" in epoch]
    return [100 * (1 - epoch["val_accuracy"]) for epoch in tested]


def interval(values):
    """The mean, and half the width of its 95 % interval by Student's t."""
    values = np.asarray(values, "float64")
    if len(values) < 2:
        return values.mean(), np.nan
    from scipy import stats

    error = values.std(ddof=1) / np.sqrt(len(values))
    return values.mean(), stats.t.ppf(0.975, len(values) - 1) * error


def mean_and_interval(values):
    """Both as words, such as "4.13 ± 0.06"."""
    mean, half = interval(values)
    return f"{mean:.2f}" if np.isnan(half) else f"{mean:.2f} ± {half:.2f}"


def finished(place):
    """List of the results of complete runs, each with the name of its file.

    Args:
        place: A folder of results, or a file that has those of a run on each line.
    """
    if Path(place).is_file():
        return [json.loads(line) for line in Path(place).read_text().splitlines()]
    runs = []
    for file in sorted(Path(place).glob("*.json")):
        run = json.loads(file.read_text())
        if run.get("complete"):
            runs.append(run | {"file": file.name})
    return runs


def table(head, rows):
    """Markdown of strings."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def files(runs):
    """The files of the same run with several seeds, as a shell writes them."""
    if not runs:
        return ""
    seeds = ",".join(sorted(str(run["seed"]) for run in runs))
    start, _ = runs[0]["file"].rsplit("seed=", 1)
    return f"`{start}seed={{{seeds}}}.json`" if len(runs) > 1 else f"`{runs[0]['file']}`"

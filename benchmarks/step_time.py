"""What a sharpness-aware step costs, against a step of plain `fit`.

    python benchmarks/step_time.py --backend=jax

All train in turn, a few steps each, so that what else the machine does falls on each; the
figure is the median over the rounds of the ratio of their times. Peak memory is that of
a process of its own for each, over steps that are compiled already.
"""

import ctypes
import importlib.metadata
import itertools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
from absl import app, flags
from step_networks import NETWORKS

import keras_sam
from keras_sam import ascents, schedules

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
elif keras.backend.backend() == "jax":
    import jax

FLAGS = flags.FLAGS
MODES = {"tensorflow": ["graph", "jit"], "jax": ["jit"], "torch": ["eager"]}
flags.DEFINE_enum("backend", "tensorflow", MODES, "Keras's backend.")
flags.DEFINE_multi_enum("network", [*NETWORKS], [*NETWORKS], "What is trained.")
flags.DEFINE_multi_enum(
    "mode", None, ["graph", "jit", "eager"], "How it is compiled: by default, every way."
)
flags.DEFINE_integer("rounds", 25, "Rounds, of which the median counts.", lower_bound=1)
flags.DEFINE_integer("steps", 4, "Steps of each in a round.", lower_bound=1)
flags.DEFINE_integer("batch_size", 128, "Examples in a step.", lower_bound=1)
flags.DEFINE_integer("processes", 3, "Of them the median peak counts.", lower_bound=1)
flags.DEFINE_bool("memory", True, "Measure the peak memory, too.")
flags.DEFINE_string("peak_of", None, "Print the peak memory of one step only.")

# SAM itself, two steps of one pass, groups, a perturbation of the last layer alone, and
# fewer examples or steps. The last two want an even number of steps in a round.
STEPS = {
    "sam": {},
    "stays": {"schedule": schedules.Between(10**9)},
    "last": {"ascent": ascents.LastStep()},
    **{f"m={m}": {"m": m} for m in (64, 32, 16, 8, 4)},
    "head": {"ascent": ascents.LpBall(variables="^head")},
    "quarter": {"schedule": schedules.Fraction(1 / 4)},
    "eighth": {"schedule": schedules.Fraction(1 / 8)},
    "sixteenth": {"schedule": schedules.Fraction(1 / 16)},
    "2nd, eighth": {"schedule": schedules.Every(2, fraction=1 / 8)},
    "2nd, eighth, reused": {"schedule": schedules.Every(2, reuse=0.7, fraction=1 / 8)},
}
flags.DEFINE_multi_enum("step", ["sam"], [*STEPS], "What is timed against a plain step.")


class Run:
    """A compiled model and its data, stepped by the function that `fit` calls."""

    def __init__(self, kind, network, mode, **settings):
        keras.utils.set_random_seed(0)
        cls = keras.Model if kind == "plain" else keras_sam.SAMModel
        settings = {**STEPS.get(kind, {}), **settings}
        self.model = model = cls(*NETWORKS[network](keras), **settings)
        model.compile(
            keras.optimizers.SGD(0.01, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=mode == "jit",
            run_eagerly=mode == "eager",
        )
        model.optimizer.build(model.trainable_variables)
        model.make_train_function()
        rng = np.random.default_rng(0)
        x = rng.normal(size=(FLAGS.batch_size, *model.input_shape[1:]))
        y = rng.integers(0, 10, FLAGS.batch_size)
        batch = [keras.ops.convert_to_tensor(a) for a in (x.astype("float32"), y)]
        self.data = itertools.repeat(tuple(batch))
        if FLAGS.backend == "tensorflow":
            self.data = iter(tf.data.Dataset.from_tensors(next(self.data)).repeat())
        if FLAGS.backend == "jax":
            model.train_on_batch(*batch)  # What rules remember is made by the first step.
            parts = (
                model.trainable_variables,
                model.non_trainable_variables,
                model.optimizer.variables,
                model.metrics_variables,
            )
            self.state = tuple([v.value for v in part] for part in parts)

    def step(self):
        if FLAGS.backend == "tensorflow":
            return self.model.train_function(self.data)
        if FLAGS.backend == "torch":
            return self.model.train_function([next(self.data)])
        logs, self.state = self.model.train_function(self.state, self.data)
        return logs

    def seconds_per_step(self):
        start = time.perf_counter()
        for _ in range(FLAGS.steps):
            logs = self.step()
        float(logs["loss"])
        if FLAGS.backend == "jax":
            jax.block_until_ready(self.state)
        return (time.perf_counter() - start) / FLAGS.steps


def on_backend():
    """Starts anew if Keras has another backend than the flag, and says where it runs."""
    if keras.backend.backend() != FLAGS.backend:
        os.environ["KERAS_BACKEND"] = FLAGS.backend
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if FLAGS.backend == "tensorflow":
        device = tf.config.list_physical_devices()[-1].device_type
    elif FLAGS.backend == "jax":
        device = jax.devices()[0].device_kind
    else:
        device = keras.ops.zeros(()).device
    names = FLAGS.backend, "keras"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return f"{versions}, {device}, batch {FLAGS.batch_size}, {FLAGS.rounds} rounds"


def peak_of_steps(run):
    """Peak resident megabytes of steps that are compiled already (on Linux)."""
    run.seconds_per_step()
    # What compiling took is given back, and the peak starts anew.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(3):
        run.seconds_per_step()
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def peak_megabytes(script, **flags):
    """The median of a few processes: which buffers overlap is a matter of timing."""
    flags |= {name: FLAGS[name].value for name in ("backend", "batch_size", "steps")}
    command = [sys.executable, script, *(f"--{k}={v}" for k, v in flags.items())]
    runs = [
        subprocess.run(command, capture_output=True, check=True)
        for _ in range(FLAGS.processes)
    ]
    return np.median([float(run.stdout) for run in runs])


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    where = on_backend()
    if FLAGS.peak_of:
        run = Run(FLAGS.peak_of, FLAGS.network[0], FLAGS.mode[0])
        print(peak_of_steps(run))
        return
    print(where)
    print("| network | mode | step | ms | ratio | MB | extra MB (weights) |")
    print("|---" * 7 + "|")
    for network, mode in itertools.product(
        FLAGS.network, FLAGS.mode or MODES[FLAGS.backend]
    ):
        kinds = ["plain", *FLAGS.step]
        runs = [Run(kind, network, mode) for kind in kinds]
        for run in runs * 2:
            run.seconds_per_step()
        times = np.array(
            [[run.seconds_per_step() for run in runs] for _ in range(FLAGS.rounds)]
        )
        weights = 4 * runs[0].model.count_params() / 2**20
        before = None
        for kind, column in zip(kinds, times.T):
            ms, ratio = 1000 * np.median(column), np.median(column / times[:, 0])
            peak, extra = "", ""
            if FLAGS.memory:
                found = peak_megabytes(__file__, peak_of=kind, network=network, mode=mode)
                before = found if before is None else before
                peak, extra = f"{found:.0f}", f"{found - before:.0f} ({weights:.1f})"
            row = network, mode, kind, f"{ms:.1f}", f"{ratio:.3f}", peak, extra
            print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    app.run(main)

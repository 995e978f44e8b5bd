"""What a sharpness-aware step costs, against a step of plain `fit`.

    python benchmarks/step_time.py --backend=jax

The two train in turn, a few steps each, so that what else the machine does falls on both;
the figure is the median over the rounds of the ratio of their times. Peak memory is that of
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

import keras_sam

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
elif keras.backend.backend() == "jax":
    import jax

FLAGS = flags.FLAGS
MODES = {"tensorflow": ["graph", "jit"], "jax": ["jit"], "torch": ["eager"]}
flags.DEFINE_enum("backend", "tensorflow", MODES, "Keras's backend.")
flags.DEFINE_multi_enum("network", ["cnn", "mlp"], ["cnn", "mlp"], "What is trained.")
flags.DEFINE_multi_enum(
    "mode", None, ["graph", "jit", "eager"], "How it is compiled: by default, every way."
)
flags.DEFINE_integer("rounds", 25, "Rounds, of which the median counts.", lower_bound=1)
flags.DEFINE_integer("steps", 4, "Steps of each in a round.", lower_bound=1)
flags.DEFINE_integer("batch_size", 128, "Examples in a step.", lower_bound=1)
flags.DEFINE_integer("processes", 3, "Of them the median peak counts.", lower_bound=1)
flags.DEFINE_enum("peak_of", None, ["plain", "sam"], "Print the peak memory of one only.")

MODELS = {"plain": keras.Model, "sam": keras_sam.SAMModel}


def cnn():
    layers = keras.layers
    inputs = keras.Input((32, 32, 3))
    x = inputs
    for filters, strides in ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2)):
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    return inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))


def mlp():
    inputs = keras.Input((784,))
    x = inputs
    for _ in range(3):
        x = keras.layers.Dense(2048, activation="relu")(x)
    return inputs, keras.layers.Dense(10)(x)


NETWORKS = {"cnn": cnn, "mlp": mlp}


class Run:
    """A compiled model and its data, stepped by the function that `fit` calls."""

    def __init__(self, kind, network, mode, **settings):
        keras.utils.set_random_seed(0)
        self.model = model = MODELS[kind](*NETWORKS[network](), **settings)
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
    columns = ("network", "mode", "plain ms", "SAM ms", "ratio", "plain MB", "SAM MB")
    print("|", " | ".join((*columns, "extra MB (weights)")), "|")
    print("|---" * 8 + "|")
    for network, mode in itertools.product(
        FLAGS.network, FLAGS.mode or MODES[FLAGS.backend]
    ):
        runs = [Run(kind, network, mode) for kind in MODELS]
        for run in runs * 2:
            run.seconds_per_step()
        times = np.array(
            [[run.seconds_per_step() for run in runs] for _ in range(FLAGS.rounds)]
        )
        plain, sam = 1000 * np.median(times, axis=0)
        ratio = np.median(times[:, 1] / times[:, 0])
        peaks = [
            peak_megabytes(__file__, peak_of=kind, network=network, mode=mode)
            for kind in MODELS
        ]
        weights = 4 * runs[0].model.count_params() / 2**20
        print(
            f"| {network} | {mode} | {plain:.1f} | {sam:.1f} | {ratio:.3f} "
            f"| {peaks[0]:.0f} | {peaks[1]:.0f} "
            f"| {peaks[1] - peaks[0]:.0f} ({weights:.1f}) |",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)

"""What the train step costs on TPUs that are not there: it is compiled, and not run.

    python benchmarks/tpu_compile.py

With the libtpu package JAX compiles for a TPU topology on any machine. What is compiled
is what `fit` compiles on the JAX backend under `keras.distribution.DataParallel`, with the
same number of examples on each replica whatever the number of chips.
"""

import itertools
import json
import math
import os
import re

from absl import app, flags
from libtpu_alone import ENVIRONMENT, trips

os.environ.update(ENVIRONMENT, KERAS_BACKEND="jax")

import jax
import keras
import numpy as np
from jax.experimental import topologies
from keras import layers

import keras_sam

FLAGS = flags.FLAGS
flags.DEFINE_multi_enum("network", ["cnn"], ["cnn", "transformer"], "What is trained.")
flags.DEFINE_multi_string("topology", ["v5e:2x2"], "TPU topologies.")
flags.DEFINE_multi_string(
    "step",
    ["plain", "sam", "below", "above", "global", "quarter", "every", "head"],
    "Steps to compile.",
)
flags.DEFINE_float("effort", -1.0, "The compiler's, -1 for the lowest and 0 for its own.")
flags.DEFINE_bool("json", False, "Print a dict a line, and no table.")

COLLECTIVE = re.compile(
    r" = (.*) (?:all-reduce|all-gather|all-to-all|reduce-scatter|collective-\w+)"
    r"(?:-start)?\("
)


def cnn():
    """A residual network with batch norm for images of 32 x 32."""
    inputs = keras.Input((32, 32, 3))
    x = _convolution(inputs, 64)
    for filters, strides in ((64, 1), (128, 2), (256, 2), (512, 2)):
        y = _convolution(x, filters, strides)
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(y))
        if filters != x.shape[-1]:
            x = layers.Conv2D(filters, 1, strides)(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(10, name="head")(x))


def _convolution(x, filters, strides=1):
    x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def transformer(width=768):
    """Of the size of ViT-B/16: 86 million weights."""
    inputs = keras.Input((224, 224, 3))
    x = layers.Conv2D(width, 16, 16)(inputs)
    x = layers.Reshape((-1, width))(x)
    for _ in range(12):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(12, width // 12)(y, y)
        x = layers.Add()([x, layers.Dropout(0.1)(y)])
        y = layers.LayerNormalization()(x)
        y = layers.Dense(width)(layers.Dense(4 * width, "gelu")(y))
        x = layers.Add()([x, layers.Dropout(0.1)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(1000, name="head")(x))


# With the number of examples on a replica.
NETWORKS = {"cnn": (cnn, 64), "transformer": (transformer, 32)}


def settings(step, n):
    return {
        "sam": {},
        "below": {"m": n // 4},
        "above": {"m": 2 * n},
        "global": {"m": "global"},
        "quarter": {"schedule": keras_sam.schedules.Fraction(0.25)},
        "every": {"schedule": keras_sam.schedules.Every(5)},
        "head": {"ascent": keras_sam.ascents.LpBall(variables="^head")},
    }[step]


def compiled(model, n, topology):
    """The train step of a built model with n examples on each of the topology's chips."""
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.optimizer.build(model.trainable_variables)
    _, classes = model.output_shape
    model.compute_metrics(None, np.zeros(1, "int32"), np.zeros((1, classes), "float32"))

    chips = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices
    mesh = keras.distribution.DeviceMesh([len(chips)], ["batch"], chips)
    distribution = keras.distribution.DataParallel(mesh)

    def spec(shape, dtype, layout):
        return jax.ShapeDtypeStruct(shape, dtype, sharding=layout.backend_layout)

    def rows(shape, dtype):
        shape = (n * len(chips), *shape)
        return spec(shape, dtype, distribution.get_data_layout(shape))

    state = tuple(
        [spec(v.shape, v.dtype, distribution.get_variable_layout(v)) for v in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
    )
    data = rows(model.input_shape[1:], "float32"), rows((), "int32")
    # As `make_train_function` does.
    shardings = jax.tree.map(lambda s: s.sharding, state)
    step = jax.jit(model.train_step, donate_argnums=0, out_shardings=(None, shardings))
    with distribution.scope():
        return step.lower(state, data).compile()


def measure(step):
    """FLOPs of a whole step on a chip, the bytes of each collective, and memory.

    XLA counts the body of a loop once. Nearly all is in it: the groups of examples.
    """
    program, memory = step.as_text(), step.memory_analysis()
    (count,) = trips(program) or [1]
    outside, entry = program.split("\nENTRY ")
    found = COLLECTIVE.findall(outside) * count + COLLECTIVE.findall(entry)
    return {
        "flops": step.cost_analysis()["flops"] * count,
        "collectives": [_bytes(shapes) for shapes in found],
        "temp_bytes": memory.temp_size_in_bytes,
        "peak_bytes": memory.peak_memory_in_bytes,
    }


def _bytes(shapes):
    return sum(
        math.prod(map(int, filter(None, shape.split(",")))) * int(bits) // 8
        for bits, shape in re.findall(r"[a-z](\d+)\[([\d,]*)\]", shapes)
    )


def rows(network, topologies, steps):
    """Yields a dict for each step, compiled for each topology."""
    make, n = NETWORKS[network]
    plain = make()
    for topology, step in itertools.product(topologies, steps):
        model = plain
        if step != "plain":
            model = keras_sam.SAMModel.from_model(plain, **settings(step, n))
        row = {"network": network, "topology": topology, "step": step}
        row["weight_bytes"] = sum(4 * math.prod(v.shape) for v in plain.trainable_variables)
        yield row | measure(compiled(model, n, topology))


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    jax.config.update("jax_exec_time_optimization_effort", FLAGS.effort)
    if not FLAGS.json:
        print(f"JAX {jax.__version__}, Keras {keras.__version__}, effort {FLAGS.effort}")
        columns = ("network", "topology", "step", "FLOPs", "collectives (MB)")
        print("|", " | ".join((*columns, "temporary MB", "peak MB")), "|")
        print("|---" * 7 + "|")
    plain = None
    for network in FLAGS.network:
        for row in rows(network, FLAGS.topology, FLAGS.step):
            if FLAGS.json:
                print(json.dumps(row), flush=True)
                continue
            plain = row["flops"] if row["step"] == "plain" else plain
            ratio = f"{row['flops'] / plain:.4f}" if plain else "-"
            sizes = row["collectives"]
            moved = f"{len(sizes)} ({sum(sizes) / 1e6:.2f})"
            memory = f"{row['temp_bytes'] / 1e6:.1f} | {row['peak_bytes'] / 1e6:.1f}"
            names = f"{network} | {row['topology']} | {row['step']}"
            print(f"| {names} | {ratio} | {moved} | {memory} |", flush=True)


if __name__ == "__main__":
    app.run(main)

"""The whole train step compiles for a TPU, and costs two steps of plain training there."""

import functools
from importlib.util import find_spec

import keras
import pytest
from keras import layers

import keras_sam

from .helpers import only_on
from .tpu import compile_for_tpu

tf = pytest.importorskip("tensorflow")
pytestmark = [
    pytest.mark.tpu,
    only_on("tensorflow", "On JAX there is `test_tpu_jax`."),
    pytest.mark.skipif(
        not (find_spec("jax") and find_spec("libtpu")),
        reason="The TPU compiler is not installed: pip install 'jax[tpu]'",
    ),
]

N = 128  # Examples in a batch.
OPTIMIZERS = {
    "sgd": functools.partial(keras.optimizers.SGD, 0.1, momentum=0.9),
    "adamw": keras.optimizers.AdamW,
}


def network():
    """Large enough that its activations do not fit into the chip's uncounted fast memory.

    Dropout comes after pooling. Before it, a mask would dominate the memory, and differ
    from a TPU's: TensorFlow draws it with Philox here, and with another generator there.
    """
    inputs = x = keras.Input((32, 32, 3))
    for filters in (64, 128, 128):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(x)
    return inputs, layers.Dense(10)(x)


def hlo(model, optimizer):
    """All of the train step, as TensorFlow hands it over to XLA."""
    model.compile(
        OPTIMIZERS[optimizer](),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    x, y = tf.zeros((N, 32, 32, 3)), tf.zeros(N, "int32")
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, jit_compile=True, autograph=False)
    return step.experimental_get_compiler_ir((x, y))(stage="hlo_serialized")


@functools.cache
def plain(optimizer):
    return compile_for_tpu(hlo(keras.Model(*network()), optimizer))


@functools.cache
def sharpness_aware(optimizer, m):
    program = hlo(keras_sam.SAMModel(*network(), rho=0.05, m=m), optimizer)
    assert b"custom-call" not in program  # Its target may be the kernel of a CPU.
    return compile_for_tpu(program)


def flops(compiled, m):
    """Of the whole step, a loop's body times its trip count.

    One group is outside of the loop, m examples are in its body, and nearly all of the
    cost is proportional to the examples.
    """
    if m is None:
        assert compiled["trips"] == []
        return compiled["flops"]
    (trips,) = compiled["trips"]
    outside = N % m or m
    assert outside + trips * m == N
    return compiled["flops"] * N / (outside + m)


@pytest.mark.parametrize(
    ("optimizer", "m"),
    [
        ("sgd", None),
        ("sgd", 32),
        ("adamw", None),
        pytest.param("adamw", 32, marks=pytest.mark.slow),
        ("adamw", 48),
    ],
)
def test_costs_two_plain_steps(optimizer, m):
    compiled = sharpness_aware(optimizer, m)
    ratio = flops(compiled, m) / flops(plain(optimizer), None)
    memory = [f"{c['temp_bytes'] / 1e6:.1f} MB" for c in (plain(optimizer), compiled)]
    print(f"{optimizer}, m={m}: {ratio:.4f} x FLOPs, {memory[0]} plain, {memory[1]}")
    assert 1.9 <= ratio <= 2.02


def test_one_group_at_a_time_is_in_memory():
    grouped, whole = (sharpness_aware("sgd", m)["temp_bytes"] for m in (32, None))
    assert grouped < whole / 2

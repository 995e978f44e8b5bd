"""Comparisons, and what the tests ask of a backend."""

import contextlib

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()

# How `compile` runs a step: PyTorch runs it as it comes, and JAX compiles it by default.
MODES = {
    "tensorflow": [{}, {"run_eagerly": True}, {"jit_compile": True}],
    "jax": [{}, {"run_eagerly": True}],
    "torch": [{}],
}[BACKEND]

REPLICAS = 4


def on_gpu_of_jax():
    if BACKEND != "jax":
        return False
    import jax

    return jax.default_backend() == "gpu"


def long_if_eager(modes):
    return [
        pytest.param(m, marks=pytest.mark.slow if m.get("run_eagerly") else ())
        for m in modes
    ]


def long_but_the_first(modes):
    """Where XLA takes long, too."""
    first, *others = modes
    return [first, *[pytest.param(m, marks=pytest.mark.slow) for m in others]]


def long_on(backend):
    """For modules in which no backend has a part, and that wait for the compiler there."""
    return [pytest.mark.slow] if backend == BACKEND else []


def only_on(backend, reason):
    """Skips a test where Keras's trainer on the other backends has no such thing."""
    return pytest.mark.skipif(backend != BACKEND, reason=reason)


def without_a_gradient():
    """Keras's warning, which on JAX has a gradient of zeros and none."""
    if BACKEND == "jax":
        return contextlib.nullcontext()
    return pytest.warns(UserWarning, match="Gradients do not exist")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def dataset(arrays, batch_size):
    """As `tf.data` has them, which `fit` takes on each backend, if TensorFlow is there."""
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)


def state(model):
    """All that plain training moves, as arrays."""
    metrics = [m for m in model.metrics if m.name != "sharpness"]
    variables = [*model.variables, *model.optimizer.variables]
    variables += [v for m in metrics for v in m.variables]
    return [array(v) for v in variables]


def generators():
    """The states of PyTorch's global generators."""
    import torch

    return [array(s) for s in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def assert_identical(actual, expected, rtol=0.0):
    """The same arrays in the same order, bit for bit unless there is a tolerance."""
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def groups_of(n, m):
    return [slice(i, min(i + m, n)) for i in range(0, n, m)]


def allow_float64(allow):
    if BACKEND == "jax":
        import jax

        jax.config.update("jax_enable_x64", allow)

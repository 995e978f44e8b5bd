"""Models, data and comparisons that the tests share."""

import contextlib
import gc
import os

# Before JAX starts: the devices that distributions in the tests train on.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

import keras
import numpy as np
import pytest
from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

import keras_sam

BACKEND = keras.backend.backend()
# How `compile` runs a step: PyTorch runs it as it comes, and JAX compiles it by default.
MODES = {
    "tensorflow": [{}, {"run_eagerly": True}, {"jit_compile": True}],
    "jax": [{}, {"run_eagerly": True}],
    "torch": [{}],
}[BACKEND]
REPLICAS = 4
if BACKEND == "tensorflow":
    import tensorflow as tf

    # Before TensorFlow starts: the devices that strategies in the tests train on.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * REPLICAS,
    )


@pytest.fixture(autouse=True)
def _fresh():
    """Each test starts from Keras's default state."""
    keras.backend.clear_session()
    gc.freeze()  # Or each test collects again through all that those before have left.
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")
    _allow_float64(False)


def _allow_float64(allow):
    if BACKEND == "jax":
        import jax

        jax.config.update("jax_enable_x64", allow)


@pytest.fixture
def float64(monkeypatch):
    """All weights and steps in float64.

    On JAX and PyTorch, Keras's batch norm and products turn it into float32 by this table.
    """
    _allow_float64(True)
    monkeypatch.setitem(BIT64_TO_BIT32_DTYPE, "float64", "float64")
    keras.config.set_floatx("float64")


@pytest.fixture
def splits():
    """Groups of devices, for which JAX before 0.10 needs XLA's former partitioner."""
    import jax

    name, shardy = "jax_use_shardy_partitioner", jax.config.jax_use_shardy_partitioner
    jax.config.update(name, shardy and jax.__version_info__ >= (0, 10))
    yield
    jax.config.update(name, shardy)


@pytest.fixture
def rounding():
    """From JAX 0.12, XLA adds up the losses of two programs in two ways."""
    import jax

    return 1e-6 if jax.__version_info__ >= (0, 12) else 0.0


def long_if_eager(modes):
    return [
        pytest.param(m, marks=pytest.mark.slow if m.get("run_eagerly") else ())
        for m in modes
    ]


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


def random_images(n):
    """Images in 3 classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 8, 8, 1)).astype("float32")
    return x, rng.integers(0, 3, n)


@pytest.fixture
def images():
    """50 of them: not a multiple of the batch size that the tests use."""
    return random_images(50)


def dataset(arrays, batch_size):
    """As `tf.data` has them, which `fit` takes on each backend, if TensorFlow is there."""
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)


@pytest.fixture
def literal_graphs():
    """Without TensorFlow's graph optimizer, which rounds sums and products otherwise."""
    if BACKEND == "tensorflow":
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    if BACKEND == "tensorflow":
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def cnn(dropout=0.3, seed=None):
    """Inputs and outputs of a network with all that has to move once a step.

    Without a seed, dropout on PyTorch draws from a generator that no file keeps.
    """
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(dropout, seed=seed)(x)
    return inputs, keras.layers.Dense(3)(x)


def classify(model, optimizer=None, **kwargs):
    """Compiles for `images`; a function of the seed alone."""
    model.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **kwargs,
    )
    return model


def state(model):
    """All that plain training moves, as arrays."""
    metrics = [m for m in model.metrics if m.name != "sharpness"]
    variables = [*model.variables, *model.optimizer.variables]
    variables += [v for m in metrics for v in m.variables]
    return [array(v) for v in variables]


def assert_identical(actual, expected, rtol=0.0):
    """The same arrays in the same order, bit for bit unless there is a tolerance."""
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def trained(make, train):
    """The state and the logs of `make()` after `train(model)`, from a fixed seed."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    model = make()
    logs = train(model)
    return model, logs


def assert_like_plain(make, train, rtol=0.0):
    """`make(keras.Model)` and `make(SAMModel at rho = 0)` cannot be told apart."""

    class AtZero(keras_sam.SAMModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, rho=0.0, **kwargs)

    plain, logs = trained(lambda: make(keras.Model), train)
    sam, sam_logs = trained(lambda: make(AtZero), train)
    sharpness = sam_logs.pop("sharpness")
    np.testing.assert_allclose(sharpness, np.zeros_like(sharpness), atol=rtol)
    assert sam_logs.keys() == logs.keys()
    assert_identical(list(sam_logs.values()), list(logs.values()), rtol)
    assert_identical(state(sam), state(plain), rtol)
    return sam

"""Fixtures, and the devices that the tests train on."""

import gc
import os
from pathlib import Path

# Before JAX starts: the devices that distributions in the tests train on.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

# Where JAX finds what it has compiled before, in these tests or in earlier ones.
# Many tests compile the same: 40 of them took 100 s from empty, and 170 s without it.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".jax_cache")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import keras
import pytest
from hypothesis import HealthCheck, Phase, settings
from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

from tests.helpers import BACKEND, REPLICAS, allow_float64
from tests.models import random_images

if BACKEND == "tensorflow":
    import tensorflow as tf

    # Before TensorFlow starts: the devices that strategies in the tests train on.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * REPLICAS,
    )

if BACKEND == "torch":
    import torch

    # Or cuDNN adds up in another order each time, where there is a GPU.
    torch.backends.cudnn.deterministic = True


# How many models `tests/fuzz` draws: a few, always the same; or more, and other ones for
# each seed. A smaller case that fails would take minutes to find. (With more in one process
# memory runs out: XLA keeps what it has compiled, of plain models, too.)
COMMON = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
}
settings.register_profile("short", max_examples=2, derandomize=True, **COMMON)
settings.register_profile("long", max_examples=12, print_blob=True, **COMMON)
settings.load_profile("short")


@pytest.fixture(autouse=True)
def _fresh():
    """Each test starts from Keras's default state."""
    keras.backend.clear_session()
    gc.freeze()  # Or each test collects again through all that those before have left.
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")
    allow_float64(False)


@pytest.fixture
def float64(monkeypatch):
    """All weights and steps in float64.

    On JAX and PyTorch, Keras's batch norm and products turn it into float32 by this table.
    """
    allow_float64(True)
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


@pytest.fixture
def images():
    """50 of them: not a multiple of the batch size that the tests use."""
    return random_images(50)


@pytest.fixture
def literal_graphs():
    """Without TensorFlow's graph optimizer, which rounds sums and products otherwise."""
    if BACKEND == "tensorflow":
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    if BACKEND == "tensorflow":
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})

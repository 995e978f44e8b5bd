"""A plain model beside a sharpness-aware one at rho = 0."""

import keras
import numpy as np

import keras_sam
from tests.helpers import BACKEND, assert_identical, on_gpu_of_jax, state

# XLA compiles the two steps as different programs, and may fuse a sum of one of them in
# another order: there the equality is one of float32 rounding.
ROUNDING = {"graph": 0.0, "eager": 0.0, "jit": 1e-5}
# So may JAX on a GPU: there XLA times several kernels for each program, and takes one.
LEAST = 1e-5 if on_gpu_of_jax() else 0.0

MODES = {
    "graph": {},
    "eager": {"run_eagerly": True},
    "jit": {"jit_compile": True},
    "steps_per_execution": {"steps_per_execution": 3},
    "unrolled": {"steps_per_execution": 3, "jit_compile": True},
}
if BACKEND == "torch":
    MODES = {"eager": {}}  # For torch.compile there is `test_torch`.
if BACKEND == "jax":
    del MODES["graph"], MODES["unrolled"]


def fit(x, y=None, **kwargs):
    kwargs = {"batch_size": 16, "epochs": 2, "verbose": 0, **kwargs}
    return lambda model: model.fit(x, y, **kwargs).history


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

    rtol = max(rtol, LEAST)
    plain, logs = trained(lambda: make(keras.Model), train)
    sam, sam_logs = trained(lambda: make(AtZero), train)
    sharpness = sam_logs.pop("sharpness")
    # Where training fails, plain training does, too.
    sharpness = np.where(np.isfinite(logs.get("loss", 0.0)), sharpness, 0.0)
    np.testing.assert_allclose(sharpness, np.zeros_like(sharpness), atol=rtol)
    assert sam_logs.keys() == logs.keys()
    assert_identical(list(sam_logs.values()), list(logs.values()), rtol)
    assert_identical(state(sam), state(plain), rtol)
    return sam

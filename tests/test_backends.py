"""The same step on TensorFlow, JAX and PyTorch, and files that go from one to another."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_sam
from tests.helpers import BACKEND
from tests.models import classify, cnn

BACKENDS = ["tensorflow", "jax", "torch"]
missing = [name for name in BACKENDS if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.skipif(bool(missing), reason=f"without {missing}"),
    pytest.mark.skipif(BACKEND != "jax", reason="runs on all backends, and once for all"),
]


def train(backend, *files):
    """Two steps from each file to the next, in a process of its own.

    Returns:
        Of each target, the values of all variables, and the logs.
    """
    subprocess.run(
        [sys.executable, "-m", "tests.backend_worker", *files],
        env=os.environ | {"KERAS_BACKEND": backend},
        cwd=Path(__file__).parents[1],
        check=True,
    )
    return [dict(np.load(target.with_suffix(".npz"))) for target in files[1::2]]


def test_all_backends_agree_and_take_over_from_each_other(tmp_path):
    model = classify(keras_sam.SAMModel(*cnn(dropout=0), rho=0.1, m=4))
    start = tmp_path / "start.keras"
    model.save(start)
    early = {b: tmp_path / f"{b}.keras" for b in BACKENDS}
    late = {b: tmp_path / f"{b}_late.keras" for b in BACKENDS}
    # Each takes over from the one before it. A process starts as slowly as it trains.
    tf, jax, torch = BACKENDS
    tf_early = train(tf, start, early[tf])
    jax_both = train(jax, start, early[jax], early[tf], late[jax])
    torch_both = train(torch, start, early[torch], early[jax], late[torch])
    tf_late = train(tf, early[torch], late[tf])
    for expected, *others in zip(tf_early + tf_late, jax_both, torch_both):
        for values in others:
            assert values.keys() == expected.keys()
            for name, value in expected.items():
                np.testing.assert_allclose(values[name], value, rtol=1e-4, atol=1e-5)

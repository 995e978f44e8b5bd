"""JAX in two processes of two devices each: one training, as of one device with m."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import array, only_on
from tests.jax_devices import DATA, fit


@only_on("jax", "`keras.distribution` trains on JAX only.")
@pytest.mark.parametrize(
    "m, alone", [(None, 4), pytest.param(8, 8, marks=pytest.mark.slow)]
)
def test_two_processes(tmp_path, m, alone):
    pytest.importorskip("tensorflow")  # For `tf.data`, of which each has its part.
    with socket.create_server(("localhost", 0)) as free:
        address = f"localhost:{free.getsockname()[1]}"
    # The CPU, also where there is a GPU: one GPU is no device of two processes.
    flags = {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    command = [sys.executable, "-m", "tests.jax_worker"]
    workers = [
        subprocess.Popen(
            [*command, str(i), "2", address, str(m), str(tmp_path)],
            env=os.environ | flags,
            cwd=Path(__file__).parents[1],
        )
        for i in range(2)
    ]
    try:
        assert [worker.wait(300) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    first, second = (dict(np.load(tmp_path / f"{i}.npz")) for i in range(2))
    model, history = fit(DATA, None, alone)
    expected = {v.path: array(v) for v in model.variables} | history
    for name, value in expected.items():
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], value, rtol=1e-4, atol=2e-5)

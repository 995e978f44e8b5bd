"""PyTorch in two processes: a loop whose gradients are averaged is one device with m."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import BACKEND, assert_identical
from tests.models import classify

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")


def test_two_processes(tmp_path):
    from tests import torch_worker as worker

    with socket.create_server(("localhost", 0)) as free:
        port = str(free.getsockname()[1])
    flags = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.torch_worker", str(tmp_path)],
            env=os.environ | flags | {"RANK": str(i), "LOCAL_RANK": str(i)},
            cwd=Path(__file__).parents[1],
        )
        for i in range(2)
    ]
    try:
        assert [process.wait(300) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    found = [list(np.load(tmp_path / f"{i}.npz").values()) for i in range(2)]
    assert_identical(found[0], found[1])
    keras.utils.set_random_seed(1)
    m = worker.BATCH // 2
    model = classify(keras_sam.SAMModel(*worker.network(), m=m, **worker.SETTINGS))
    model.fit(*worker.DATA, batch_size=worker.BATCH, shuffle=False, verbose=0)
    assert_identical(found[0], model.get_weights(), rtol=1e-6)

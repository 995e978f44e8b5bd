"""Two processes that train one model, on the loopback interface."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.models import random_images
from tests.replicas import BATCH, fit, network

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="`tf.distribute` is TensorFlow's"
)
WORKERS = 2


def free_ports():
    sockets = [socket.create_server(("localhost", 0)) for _ in range(WORKERS)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def run_workers(folder, task, m, wait=300):
    """The workers' exit codes, with `None` for one that was still waiting for the other."""
    cluster = {"worker": [f"localhost:{port}" for port in free_ports()]}
    workers = []
    for index in range(WORKERS):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        with (folder / f"{task}{index}.log").open("w") as log:
            workers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.worker", task, str(m), str(folder)],
                    env=os.environ | {"TF_CONFIG": json.dumps(config)},
                    cwd=Path(__file__).parents[1],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
    try:
        return [worker.wait(wait) for worker in reversed(workers)][::-1]
    except subprocess.TimeoutExpired:
        return [worker.poll() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def results(folder):
    return [dict(np.load(folder / f"{index}.npz")) for index in range(WORKERS)]


def logs_of(folder, task):
    return (folder / f"{task}0.log").read_text() + (folder / f"{task}1.log").read_text()


@pytest.mark.parametrize(
    "task, m",
    [
        pytest.param("loop", None, marks=pytest.mark.slow),
        pytest.param("fit", None, marks=pytest.mark.slow),
        ("fit", "global"),
    ],
)
def test_two_workers_are_one_device_with_m(tmp_path, task, m):
    codes = run_workers(tmp_path, task, m)
    assert codes == [0, 0], logs_of(tmp_path, task)
    alone = BATCH // WORKERS if m is None else BATCH
    epochs = 1 if task == "loop" else 4
    make = lambda: network(batch_norm=m is None)  # noqa: E731
    batches = random_images(8 * BATCH)
    expected, history = fit(batches, None, alone, epochs, make=make)
    for worker in results(tmp_path):
        for variable in expected.trainable_weights:
            w = worker[variable.path]
            np.testing.assert_allclose(w, variable.numpy(), rtol=1e-4, atol=1e-6)
        if task == "fit":
            assert "val_loss" in worker
            for name, values in history.items():
                np.testing.assert_allclose(worker[name], values, rtol=1e-4)
    first, second = results(tmp_path)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.slow
def test_a_worker_that_was_killed(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    assert run_workers(whole, "fit", None) == [0, 0], logs_of(whole, "fit")
    # The other worker cannot go on alone; whoever starts the workers starts both again.
    codes = run_workers(tmp_path, "killed", None, wait=60)
    assert codes[1] == 9 and codes[0] != 0, logs_of(tmp_path, "killed")
    assert not (tmp_path / "0.npz").exists()
    assert run_workers(tmp_path, "again", None) == [0, 0], logs_of(tmp_path, "again")
    for resumed, expected in zip(results(tmp_path), results(whole)):
        assert len(resumed["loss"]) == 2  # Epochs 3 and 4.
        for name, value in resumed.items():
            np.testing.assert_array_equal(value, expected[name][-len(value) :])

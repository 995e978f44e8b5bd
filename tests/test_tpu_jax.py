"""JAX's train step, compiled for TPUs that are not there: communication, FLOPs, memory."""

import functools
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers import only_on

pytestmark = [
    pytest.mark.tpu,
    only_on("jax", "On TensorFlow there is `test_tpu_compile`."),
    pytest.mark.skipif(
        not find_spec("libtpu"),
        reason="The TPU compiler is not installed: pip install 'jax[tpu]'",
    ),
]
SCRIPT = Path(__file__).parents[1] / "benchmarks" / "tpu_compile.py"


@functools.cache
def compiled(network, topology, *steps):
    """What the benchmark measures, by the name of the step."""
    flags = [f"--network={network}", f"--topology={topology}", "--json"]
    result = subprocess.run(
        [sys.executable, SCRIPT, *flags, *(f"--step={step}" for step in steps)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    print(*rows, sep="\n")
    return {row["step"]: row for row in rows}


def a_cnn():
    return compiled("cnn", "v5e:2x2", "plain", "sam", "below", "head")


def a_transformer():
    return compiled("transformer", "v5e:2x2", "plain", "sam")


def groups_of_a_transformer():
    return a_transformer() | compiled("transformer", "v5e:2x2", "below")


@pytest.mark.parametrize(
    "topology",
    [
        "v5e:2x2",
        pytest.param("v5e:4x4", marks=pytest.mark.slow),
        pytest.param("v5e:16x16", marks=pytest.mark.slow),
    ],
)
def test_one_all_reduce_and_two_plain_steps(topology):
    four = topology == "v5e:2x2"
    rows = a_cnn() if four else compiled("cnn", topology, "plain", "sam")
    (gradients,) = rows["sam"]["collectives"]
    weights = rows["sam"]["weight_bytes"]
    # With them go the statistics of batch norm, the loss, the sharpness and the metrics.
    assert weights < gradients < 1.01 * weights
    assert rows["sam"]["collectives"] == a_cnn()["sam"]["collectives"]
    assert 1.95 <= rows["sam"]["flops"] / rows["plain"]["flops"] <= 2.02


def test_what_no_perturbation_reaches_runs_once():
    rows = a_cnn()
    assert rows["head"]["flops"] <= 1.01 * rows["plain"]["flops"]
    assert rows["head"]["collectives"] == rows["sam"]["collectives"]


def test_groups_of_examples_need_no_communication():
    rows = a_cnn()
    (gradients,) = rows["below"]["collectives"]
    assert gradients < 1.01 * rows["below"]["weight_bytes"]
    assert rows["below"]["flops"] <= 2.02 * rows["plain"]["flops"]


@pytest.mark.slow
def test_a_transformer_communicates_as_in_plain_training():
    # XLA merges all-reduces up to a size: its gradients are sent in the same few parts.
    rows = a_transformer()
    plain, sam = (rows[step]["collectives"] for step in ("plain", "sam"))
    assert len(sam) == len(plain)
    assert sum(sam) <= 1.001 * sum(plain)
    assert rows["sam"]["flops"] <= 2.02 * rows["plain"]["flops"]


@pytest.mark.parametrize(
    "network", [a_cnn, pytest.param(a_transformer, marks=pytest.mark.slow)]
)
def test_memory(network):
    rows = network()
    extra = rows["sam"]["peak_bytes"] - rows["plain"]["peak_bytes"]
    assert extra <= rows["plain"]["weight_bytes"]


@pytest.mark.parametrize(
    "network",
    [a_cnn, pytest.param(groups_of_a_transformer, marks=pytest.mark.slow)],
)
def test_groups_of_examples_take_less_memory(network):
    rows = network()
    assert rows["below"]["temp_bytes"] < rows["sam"]["temp_bytes"]

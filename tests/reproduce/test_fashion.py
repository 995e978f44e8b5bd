"""Fashion-MNIST in small: its settings, its second tasks, and the tables of its results."""

import json
from pathlib import Path

import fashion_report
import fashion_runs
import few_digits
import numpy as np
import pytest
import quantized
import report
import results
import settings
import transfer
from architectures.small import small
from experiment import Experiment
from recipes import fashion_mnist_mlp, fashion_mnist_small

from tests.helpers import BACKEND, array, only_on
from tests.reproduce import tiny

REPRODUCE = Path(__file__).parents[2] / "examples/reproduce"

pytestmark = pytest.mark.skipif(BACKEND == "jax", reason="It is the same on all backends.")


@pytest.mark.parametrize("part", fashion_runs.PARTS)
def test_settings(part):
    runs = [settings.of(fashion_mnist_small, c) for c in fashion_runs.PARTS[part]]
    assert len(set(runs)) == len(runs)
    for run in runs:
        settings.checked(run)
        assert run.validation == part.startswith("tune")


def result(changes, seed, *errors):
    return {
        "recipe": "fashion_mnist_small",
        "settings": vars(settings.of(fashion_mnist_small, changes)),
        "seed": seed,
        "file": f"some,seed={seed}.json",
        "epochs": [{"loss": 1.0}, *({"val_accuracy": 1 - e / 100} for e in errors)],
    }


def test_tables(tmp_path):
    plain = fashion_runs.CLEAN["plain"]
    runs = [result(plain, 0, 12, 10), result(plain, 1, 9, 12), result({"m": 4}, 0, 50)]
    # By hand: means 11 and 9.5; 12.706 is Student's t for two values.
    line = next(
        s for s in fashion_report.clean_table(runs).splitlines() if "| plain |" in s
    )
    half = [f"{12.706 * deviation / 2:.2f}" for deviation in (2, 1)]
    assert line == (
        f"| plain | 11.00 ± {half[0]} | 9.50 ± {half[1]} | `some,seed={{0,1}}.json` |"
    )
    fashion_report.save(runs, tmp_path / "all.jsonl")
    assert results.finished(tmp_path / "all.jsonl") == runs


def test_the_readme_has_the_results():
    readme = (REPRODUCE / "README.md").read_text()
    runs = results.finished(REPRODUCE / "results/fashion_mnist_small.jsonl")
    for table in fashion_report.readme_tables(runs):
        assert table in readme
    for changes in fashion_runs.GROUPS_ALONE:
        assert fashion_report.cell(changes, runs) in readme
    found = json.loads((REPRODUCE / "results/fashion_transfer.json").read_text())
    assert transfer.table(found["runs"]) in readme
    found = json.loads((REPRODUCE / "results/fashion_quantized.json").read_text())
    assert quantized.table(found["runs"]) in readme
    runs = results.finished(REPRODUCE / "results/fashion_mnist_wrn28_10.jsonl")
    table = report.table("fashion_mnist_wrn28_10", runs).splitlines()
    assert "\n".join(table[:2] + table[-4:]) in readme


def test_digits():
    train, test = few_digits.load(seed=0, validation=False)
    other, same = few_digits.load(seed=1, validation=False)
    _, chosen_by = few_digits.load(seed=0, validation=True)
    assert (np.bincount(train.labels) == 10).all() and train.images.shape[1:] == (28, 28, 1)
    assert train.images.min() == 0 and train.images.max() > 200
    assert (test.images == same.images).all()
    assert (train.images != other.images).any()
    rows = [set(map(bytes, part.images)) for part in (train, other, test, chosen_by)]
    seen = rows[2] & (rows[0] | rows[1]) | rows[3] & (rows[0] | rows[1] | rows[2])
    assert not seen and [len(part) for part in (test, chosen_by)] == [900, 300]


def test_fine_tuning(monkeypatch):
    """Batch norm's statistics stay, and the first network is not trained."""
    monkeypatch.setattr(transfer, "EPOCHS", 1)
    first = small((28, 28, 1), 10, width=4)
    before = [array(w) for w in first.weights]
    pixels = np.random.default_rng(0).integers(0, 255, (50, 28, 28, 1)).astype("uint8")
    source = tiny.Source(10, (0.1,), (0.3,), None, tiny.Images(pixels, np.arange(50) % 10))
    copy = transfer.with_frozen_statistics(first)
    kept = transfer.error(first, source.test, source)
    assert transfer.error(copy, source.test, source) == kept
    copies = []
    monkeypatch.setattr(
        transfer, "with_frozen_statistics", lambda _: copies.append(copy) or copy
    )
    found = transfer.fine_tuned(
        first, source, seed=0, rho=0.1, learning_rate=0.1, validation=True
    )
    assert 0 <= found["digits"] <= 100 and 0 <= found["fashion"] <= 100
    assert copies == [copy]
    for old, new in zip(before, first.weights):
        np.testing.assert_array_equal(old, array(new))
    for old, new in zip(first.weights, copy.weights):
        moved = "moving" not in new.path and "logits" not in new.path
        assert (array(old) != array(new)).any() == moved, new.path


@only_on("tensorflow", "It is the same on all backends.")
def test_quantization(tmp_path):
    """int4 rounds more than int8, and the run itself stays as it is."""
    experiment = Experiment("mlp", fashion_mnist_mlp, str(tmp_path), smoke=True, verbose=0)
    losses = [
        quantized.quantized(experiment, {"rho": 0.0}, 0, mode)["loss"]
        for mode in (None, "int8", "int4", None)
    ]
    assert losses[0] == losses[3]
    assert 0 < abs(losses[1] - losses[0]) < abs(losses[2] - losses[0])


def test_table_of_transfer():
    way = {"first": "SAM", "rho": 0.1, "learning_rate": 0.03}
    chosen = {"validation": False, "digits": 9.0, "fashion": 30.0}
    tried = {"validation": True, "digits": 1.0, "fashion": 1.0}
    runs = [{**way, "seed": 0, **tried}, {**way, "seed": 0, **chosen}]
    (row,) = transfer.table(runs).splitlines()[2:]
    assert row == "| SAM | SAM | 0.1 | 0.03 | 9.00 | 30.00 |"


def test_table_of_quantization():
    found = {None: (15.0, 0.5), "int8": (15.1, 0.5), "int4": (17.0, 0.75)}
    runs = [
        {"rho": 0.0, "seed": 0, "mode": mode, "error": error, "loss": loss}
        for mode, (error, loss) in found.items()
    ]
    (row,) = quantized.table([{"rho": 0.0, "error": 1.0}, *runs]).splitlines()[2:]
    assert row == "| plain | 0 | 15.00 | 0.10 | 2.00 | 0.25 |"

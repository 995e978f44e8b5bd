"""`benchmarks/tuning_report.py`: by hand, and its tables in the benchmarks' README."""

import sys

import pytest

from tests.test_examples import ROOT


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import tuning_report

    yield tuning_report
    del sys.modules["tuning_report"]


def run(scores, test_error):
    return {"logs": {"val_accuracy": scores}, "test_error": test_error}


def test_the_picks_by_hand(report):
    """The third is the best at the end, and not among the first after three epochs."""
    ends = {"a": (0.5, 0.6, 0.7), "b": (0.6, 0.5, 0.8), "c": (0.1, 0.9, 0.9)}
    grid = {
        name: run([x] * 3 + [y] * 6 + [z] * 18, error)
        for (name, (x, y, z)), error in zip(ends.items(), (3, 2, 1))
    }
    assert report.full(grid) == "c"
    assert report.short(grid) == "b"
    assert report.cost(grid) == pytest.approx((3 * 3 + 6 + 18) / 81)
    assert list(report.errors([grid], report.short)) == [2]


def test_a_signal_by_hand(report):
    signal = {0.1: 1.0, 0.2: 2.0, 0.5: 9.0, 1.0: 3.0}
    assert report.below(signal, 4) == 0.2  # Not 1, beyond what was too much.
    assert report.below(signal, 0.5) == 0.1
    assert report.below(signal, 10) == 1.0


def test_the_readme_has_its_tables(report):
    found = report.load(ROOT / "benchmarks")
    assert list(found) == list(report.TASKS)
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    assert report.table_of_search(found) in text
    assert report.table_of_signals(found) in text

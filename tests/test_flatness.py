"""`examples/flatness.py`: its smallest setting, its table, and its results in the docs."""

import json

import flatness_report
import numpy as np
import pytest
from data.smoke import write_idx

from tests.helpers import long_on, only_on
from tests.test_examples import ROOT, run

RESULTS = ROOT / "examples/results"


def one(rho, m, rate, seed, validation, test, rises):
    return {
        "setting": {"rho": rho, "m": m, "learning_rate": rate},
        "seed": seed,
        "validation_error": validation,
        "test_error": test,
        "sharpness": dict(zip(("4", "0"), rises)),
    }


def by_hand():
    """Four models, of which the third is the best but for its m."""
    return [
        one(0.0, 0, 0.1, 0, 9.0, 10.0, (4.0, 1.0)),
        one(0.0, 0, 0.3, 0, 8.0, 12.0, (5.0, 2.0)),
        one(0.1, 4, 0.1, 0, 1.0, 2.0, (1.0, 3.0)),
        one(0.1, 0, 0.1, 0, 5.0, 6.0, (2.0, 4.0)),
    ]


def test_settings_are_chosen_by_validation_images():
    second = [one(0.0, 0, 0.1, 1, 3.0, 9.0, (1, 1)), one(0.0, 0, 0.3, 1, 8.0, 1.0, (1, 1))]
    found = flatness_report.chosen(by_hand() + second)
    assert found["plain"] == {"rho": 0.0, "m": 0, "learning_rate": 0.1}
    assert found["SAM"] == {"rho": 0.1, "m": 0, "learning_rate": 0.1}


def test_kendalls_tau():
    """By hand: with m = 4 all pairs are in order, with the whole batch 2 of 6 pairs."""
    found = flatness_report.taus(by_hand())
    assert found[4][0] == pytest.approx(1)
    assert found[0][0] == pytest.approx((2 - 4) / 6)


def test_table():
    look = {"epoch": 3, "values": [10.0, 5, 4, 3, 2.5], "residuals": [0.01] * 5}
    models = {"SAM": {"setting": by_hand()[3]["setting"], "spectra": [look]}}
    lines = flatness_report.table({"runs": by_hand(), "models": models}).splitlines()
    assert lines[2] == "| SAM | 0.1 | 0.1 | 6.0 (6.0 to 6.0) % | 3 | 10 ± 0.01 | 4.0 |"
    assert lines[-2] == "| 4 | 1.00 (p = 0.083) | 1.00 (p = 0.083) |"


def test_models_that_have_learned_nothing_are_left_out_of_one_column():
    nothing = one(0.9, 0, 0.1, 0, 90.0, 90.0, (0.1, 0.1))
    assert flatness_report.learned([*by_hand(), nothing]) == by_hand()
    assert flatness_report.taus([*by_hand(), nothing])[4][0] == pytest.approx((6 - 4) / 10)


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("digits", marks=long_on("torch") + long_on("tensorflow")),
        pytest.param("fashion", marks=pytest.mark.slow),
    ],
)
def test_smoke(task, tmp_path):
    if task == "fashion":
        write_idx(tmp_path, count=3100)
    flags = [f"--{name}={tmp_path / name}" for name in ("results", "picture")]
    flags += ["--smoke", f"--task={task}", f"--data_dir={tmp_path}"]
    first = run("examples/flatness.py", *flags)
    assert first.returncode == 0, first.stderr
    found = json.loads((tmp_path / "results").read_text())
    assert len(found["runs"]) == 3 and set(found["models"]) == {"plain", "SAM"}
    (look,) = found["models"]["SAM"]["spectra"]
    assert look["epoch"] == 1 and np.all(np.diff(look["values"]) <= 0)
    assert np.shape(found["models"]["SAM"]["losses"]) == (5, 5)
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@only_on("tensorflow", "Flags are the same on all backends.")
@pytest.mark.parametrize(
    "flag, message",
    [("--task=fashion", "--task=fashion needs `--data_dir`"), ("digits", "Unexpected")],
)
def test_mistakes(flag, message):
    result = run("examples/flatness.py", flag)
    assert result.returncode != 0
    assert message in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.stem)
def test_the_docs_have_its_tables(file):
    found = json.loads(file.read_text())
    assert not found["smoke"]
    assert flatness_report.table(found) in (ROOT / "docs/flatness.md").read_text()

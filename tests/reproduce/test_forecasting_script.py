"""`forecasting.py` in its smallest setting, as a user would start it."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tests.helpers import BACKEND, only_on
from tests.reproduce.ett_files import ett_file

SCRIPT = Path(__file__).parents[2] / "examples/reproduce/forecasting.py"


def run(*flags):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, flags)], capture_output=True, text=True
    )


SMALLEST = [
    "--task=small",
    "--steps=6",
    "--horizon=3",
    "--channels=2",
    "--windows=16,8,8",
    "--epochs=2",
    "--batch_size=8",
    "--learning_rate=0.01",
    "--learning_rate=0.1",
    "--rho=0.5",
    "--seeds=2",
    "--tuning_seeds=1",
]


# The script is the same on all backends. PyTorch compiles none of its twelve networks.
@(pytest.mark.slow if BACKEND != "torch" else lambda test: test)
def test_the_script(tmp_path):
    output, picture = tmp_path / "results.json", tmp_path / "picture.png"
    result = run(*SMALLEST, f"--output={output}")
    assert result.returncode == 0, result.stderr
    results = json.loads(output.read_text())
    assert results["settings"]["windows"] == [16, 8, 8]
    assert results["versions"][keras.backend.backend()]
    assert results["chosen"]["SAM"][:2] == ["SAM", 0.5]
    assert [(r["method"], r["seed"]) for r in results["test"]] == [
        (method, seed) for seed in (0, 1) for method in ("plain", "frozen", "SAM")
    ]
    assert [(r["method"], r["learning_rate"], r["seed"]) for r in results["tuning"]] == [
        (method, rate, 100) for method in ("plain", "frozen", "SAM") for rate in (0.01, 0.1)
    ]
    for one_run in results["test"]:
        assert all(len(one_run[k]) == 2 for k in ("loss", "validation", "test"))
    shown = run("--report", output, f"--picture={picture}")
    assert shown.returncode == 0, shown.stderr
    assert "\n| SAM (chosen) | 0.5 | 0." in shown.stdout
    assert "\n| method | rho | 0.01 | 0.1 |" in shown.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_script_with_a_file(tmp_path):
    path, output = ett_file(tmp_path / "ETTh1.csv"), tmp_path / "results.json"
    flags = [
        f for f in SMALLEST if not f.startswith(("--windows", "--channels", "--learn"))
    ]
    flags += ["--epochs=1", "--learning_rate=0.01", f"--csv={path}", f"--output={output}"]
    result = run(*flags)
    assert result.returncode == 0, result.stderr
    results = json.loads(output.read_text())
    assert results["task"] == "ETTh1.csv" and results["settings"]["channels"] == 7
    assert results["tuning"] == []


@only_on("tensorflow", "Flags are the same on all backends.")
@pytest.mark.parametrize(
    "flags, message",
    [
        ([f"--csv={SCRIPT}", "--output=out.json"], "a column `date` and seven columns"),
        (["--windows=5,5"], "windows"),
        ([], "--output"),
    ],
)
def test_the_script_refuses_a_mistake(flags, message):
    result = run(*flags)
    assert result.returncode != 0
    assert message in result.stderr + result.stdout
    assert "Traceback" not in result.stderr

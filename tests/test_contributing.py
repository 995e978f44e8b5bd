"""What a contributor is told is so: the files that are named, the commands that CI runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_files_that_are_named_exist():
    places = r"(?:keras_sam|tests|benchmarks|docs|\.ci|\.github)/[\w./]*|\w+\.(?:md|cff)"
    named = re.findall(places, read("CONTRIBUTING.md"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_workflow_runs_the_commands_that_are_told():
    runs = set(re.findall("- run: (.*venv.*)", read(".github/workflows/tests.yml")))
    lines = {*read("README.md").splitlines(), *read("CONTRIBUTING.md").splitlines()}
    assert runs <= lines
    assert {line for line in lines if line.startswith("python3 ")} <= runs
    for backend in ("jax", "torch"):  # The matrix has these.
        assert f"KERAS_BACKEND={backend} .venv/bin/python -m pytest" in lines

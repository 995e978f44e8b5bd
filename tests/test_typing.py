"""mypy accepts a user's code that is right, and finds each mistake in code that is not."""

import functools
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "The types are the same on all backends.")
ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "typing"


@functools.cache
def errors():
    """What mypy prints for both files: a list of (file, line, error)."""
    pytest.importorskip("mypy")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", FOLDER],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode in (0, 1), result.stderr
    found = re.findall(r"^(.*):(\d+): error: (.*)", result.stdout, re.M)
    return [(Path(path).name, int(line), error) for path, line, error in found]


def test_no_error_in_code_that_is_right():
    assert [error for error in errors() if error[0] != "bad.py"] == []


def test_code_without_an_error_runs():
    runpy.run_path(str(FOLDER / "good.py"))


def test_an_error_in_each_line_with_a_mistake():
    lines = (FOLDER / "bad.py").read_text(encoding="utf-8").splitlines()
    marked = {i for i, line in enumerate(lines, 1) if line.endswith("# error")}
    assert {line for name, line, _ in errors() if name == "bad.py"} == marked

"""What a release says of itself is the same in every file that says it."""

import re
from pathlib import Path

import pytest

import keras_sam

ROOT = Path(__file__).parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "line"),
    [("CITATION.cff", r"^version: (.+)$"), ("CHANGELOG.md", r"^## ([0-9.]+)")],
)
def test_version(name, line):
    assert re.search(line, read(name), re.M)[1] == keras_sam.__version__

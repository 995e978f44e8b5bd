"""What a release says of itself is the same in every file that says it."""

import re
import sys
import types
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


@pytest.mark.parametrize("address", ["", "https://example.org/us/keras_sam"])
def test_addresses_are_those_of_the_public_repository(address, monkeypatch):
    setup = types.SimpleNamespace(find_packages=lambda **kwargs: [])
    setup.setup = vars(setup).update
    monkeypatch.setitem(sys.modules, "setuptools", setup)
    ours = f'PUBLIC_ADDRESS = "{address}"'
    source = re.sub('PUBLIC_ADDRESS = ".*"', ours, read("setup.py"))
    exec(compile(source, "setup.py", "exec"), {"__file__": str(ROOT / "setup.py")})
    found = [setup.url, *setup.project_urls.values()]
    assert all(a.startswith(address) for a in found) if address else found == [None]

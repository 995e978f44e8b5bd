"""The examples of the docstrings and of the README run as written."""

import doctest
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sam

README = Path(__file__).parents[1] / "README.md"
PARTS = [keras_sam.ascents, keras_sam.descents, keras_sam.schedules]
DOCUMENTED = [keras_sam.SAMModel, keras_sam.SharpnessAware]
DOCUMENTED += [getattr(module, name) for module in PARTS for name in module.__all__]


@pytest.mark.parametrize(
    "documented", DOCUMENTED, ids=lambda d: f"{d.__module__}.{d.__name__}"
)
def test_docstrings(documented, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"keras": keras, "keras_sam": keras_sam, "np": np}
    found = doctest.DocTestFinder().find(documented, globs=names)
    results = [doctest.DocTestRunner().run(test) for test in found]
    assert sum(r.failed for r in results) == 0
    assert sum(r.attempted for r in results) > 0


def test_readme():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["model"].rho == 0.05

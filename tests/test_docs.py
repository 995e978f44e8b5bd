"""The examples of the docstrings, of README and of docs/ run as written; links lead on."""

import doctest
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import BACKEND

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
RELATIVE = r"\]\((?!https?:|#)([^)\s]+)\)"
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
# With JAX the models of other packages compile for long; they are the same.
LONG = {("jax", "ecosystem")}
PARTS = [keras_sam.ascents, keras_sam.descents, keras_sam.schedules, keras_sam.callbacks]
DOCUMENTED = [keras_sam.SAMModel, keras_sam.SharpnessAware, keras_sam.in_ascent_pass]
DOCUMENTED += [keras_sam.value_and_grad, keras_sam.predictions, keras_sam.methods.Method]
DOCUMENTED += [keras_sam.tuning.search]
DOCUMENTED += [getattr(module, name) for module in PARTS for name in module.__all__]
# Of the measures the functions: their results come from them.
DOCUMENTED += [
    getattr(keras_sam.analysis, n) for n in keras_sam.analysis.__all__ if n.islower()
]


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


# Keras's own, where a dataset comes with the default of `shuffle`, and in `quantize`.
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed, but will be:UserWarning")
@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have:UserWarning")
# KerasTuner's, and that of tf2onnx under NumPy 2.
@pytest.mark.filterwarnings("ignore:(getName|currentThread)\\(\\) is:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:In the future `np.object` will be:FutureWarning")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            marks=pytest.mark.slow if (BACKEND, page.stem) in LONG else (),
            id=page.stem,
        )
        for page in PAGES
    ],
)
def test_pages(page, tmp_path, monkeypatch):
    """The blocks of a page, one after the other, as someone who follows it runs them."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        on = re.match("# On (.*)", block)
        if on is None or on[1] == NAMES[BACKEND]:
            exec(block, names)
    if page.stem == "README":
        assert names["model"].rho == 0.05


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(RELATIVE, text):
        path, _, anchor = link.partition("#")
        assert (page.parent / path).exists(), link
        assert not anchor or anchor in anchors(page.parent / path), link


def anchors(page):
    """Those of the headings, as a page of Markdown is shown."""
    headings = re.findall("^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]


def test_what_a_package_index_shows_has_no_link_to_a_file():
    metadata = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    shown = ROOT / re.search('^readme = "(.*)"', metadata, re.M)[1]
    text = shown.read_text(encoding="utf-8")
    assert "](https://" in text and not re.findall(RELATIVE, text)

"""The examples of the docstrings, of README and of docs/ run as written; links lead on."""

import doctest
import re
import sys
import types
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
PARTS = [keras_sam.ascents, keras_sam.descents, keras_sam.schedules, keras_sam.callbacks]
DOCUMENTED = [keras_sam.SAMModel, keras_sam.SharpnessAware, keras_sam.in_ascent_pass]
DOCUMENTED += [keras_sam.value_and_grad, keras_sam.predictions, keras_sam.methods.Method]
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
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
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
    for path in re.findall(RELATIVE, text):
        assert (page.parent / path.partition("#")[0]).exists(), path


@pytest.mark.parametrize("address", ["", "https://example.org/us/keras_sam"])
def test_the_long_description_has_no_relative_link(address, monkeypatch):
    setup = types.SimpleNamespace(find_packages=lambda **kwargs: [])
    setup.setup = vars(setup).update
    monkeypatch.setitem(sys.modules, "setuptools", setup)
    source = (ROOT / "setup.py").read_text(encoding="utf-8")
    source = re.sub('PUBLIC_ADDRESS = ".*"', f'PUBLIC_ADDRESS = "{address}"', source)
    exec(compile(source, "setup.py", "exec"), {"__file__": str(ROOT / "setup.py")})
    assert not re.findall(RELATIVE, setup.long_description)
    picture = f"]({address}/raw/main/examples/quickstart.png)"
    assert (picture in setup.long_description) is bool(address)

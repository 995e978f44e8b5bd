"""Each notebook runs in its small setting; what is kept in the files is clean."""

import importlib.metadata
import json
import os
import re
from pathlib import Path

import nbformat
import pytest
from data.smoke import write_idx
from notebooks.execute import executed

from tests.helpers import BACKEND

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples/notebooks").glob("*.ipynb"))
ON_JAX_ALONE = {"devices"}
HERE = [n for n in NOTEBOOKS if BACKEND == "jax" or n.stem not in ON_JAX_ALONE]
# CI runs them with Colab's versions, of which there is no PyTorch without CUDA.
LONG = [pytest.mark.slow] if BACKEND != "torch" else []
BADGE = "colab.research.google.com/github/"


def each(notebooks, marks=()):
    notebooks = [pytest.param(n, marks=marks, id=n.stem) for n in notebooks]
    return pytest.mark.parametrize("notebook", notebooks)


def read(notebook):
    found = nbformat.read(notebook, as_version=4)
    nbformat.validate(found)
    return found


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def shows(cell):
    """Whether it prints, and how many pictures it draws."""
    printed = any(o.get("name") == "stdout" for o in cell.outputs)
    return cell.id, printed, sum("image/png" in o.get("data", {}) for o in cell.outputs)


@each(HERE, LONG)
def test_runs(notebook, tmp_path, monkeypatch):
    """In a process of its own, on made-up images in the files of Fashion-MNIST."""
    images = tmp_path / "datasets/fashion-mnist"
    images.mkdir(parents=True)
    write_idx(images, count=512)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_SAM_SMALL", "1")
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    path = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    monkeypatch.setenv("PYTHONPATH", path.rstrip(os.pathsep))
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # A notebook says itself how many.
    ran = code(executed(notebook, tmp_path).cells)
    assert list(map(shows, ran)) == list(map(shows, code(read(notebook).cells)))


@each(NOTEBOOKS)
def test_what_is_kept(notebook):
    text = notebook.read_text(encoding="utf-8")
    found = read(notebook)
    again = json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False)
    assert text == again + "\n" and len(text) < 400_000
    cells = code(found.cells)
    # Run from top to bottom, in one go.
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(cell.metadata for cell in found.cells)
    assert sum(pictures for _, _, pictures in map(shows, cells)) >= 1
    outputs = [output for cell in cells for output in cell.outputs]
    assert {o.output_type for o in outputs} <= {"stream", "display_data"}
    assert {o.name for o in outputs if o.output_type == "stream"} == {"stdout"}
    said = "".join(o.get("text", "") for o in outputs)
    assert not re.search(r"/(tmp|home|root|usr)\b|site-packages|warning", said, re.I)


@each(NOTEBOOKS)
def test_how_it_gets_to_colab(notebook):
    """By a badge if the repository is public, and else in words."""
    urls = importlib.metadata.metadata("keras_sam").get_all("Project-URL") or []
    address = "".join(u.split("github.com/")[1] for u in urls if u.startswith("Repository"))
    words = "".join(c.source for c in read(notebook).cells if c.cell_type == "markdown")
    if address:
        assert f"{BADGE}{address}/blob/main/examples/notebooks/{notebook.name}" in words
    else:
        assert BADGE not in words and "*Upload notebook*" in words


def test_the_page_lists_all():
    page = (ROOT / "docs/notebooks.md").read_text(encoding="utf-8")
    links = re.findall(r"\(\.\./examples/notebooks/(\w+\.ipynb)\)", page)
    assert sorted(links) == [notebook.name for notebook in NOTEBOOKS]
    assert len(links) == 4

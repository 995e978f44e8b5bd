"""The site has every public name and every variant, and the tables that it shows exist."""

import ast
import importlib.util
import inspect
import re
import sys
import types
from pathlib import Path

import pytest

import keras_sam
from keras_sam import norms

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MODULES = ["analysis", "ascents", "callbacks", "descents", "methods", "schedules", "tuning"]
BASES = {"Ascent", "Metric", "Descent", "Schedule"}


def names(module):
    return [name for name in module.__all__ if not name.startswith("__")]


def public():
    """What a user imports: of the package and its modules; and what is called by itself."""
    found = {f"keras_sam.{name}" for name in names(keras_sam) if name not in MODULES}
    for module in MODULES:
        own = getattr(keras_sam, module)
        found |= {f"keras_sam.{module}.{name}" for name in names(own)}
    defined = ast.parse(Path(norms.__file__).read_text(encoding="utf-8")).body
    functions = [node.name for node in defined if isinstance(node, ast.FunctionDef)]
    return found | {f"keras_sam.norms.{f}" for f in functions if f[0] != "_"}


def test_every_public_name_is_on_a_page_of_the_reference_once():
    pages = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    entries = re.findall("^::: (.*)$", pages, re.M)
    # Where a function has the name of its module, mkdocstrings would show the module.
    assert not [e for e in entries if (ROOT / f"{e.replace('.', '/')}.py").exists()]
    entries = [re.sub(r"\.(\w+)\.\1$", r".\1", entry) for entry in entries]
    assert len(set(entries)) == len(entries)
    assert {entry for entry in entries if "._" not in entry} - public() == {
        "keras_sam.schedules.schedule.Time"
    }
    assert public() <= set(entries)


@pytest.mark.parametrize("kind", ["ascents", "descents", "schedules"])
def test_every_variant_is_described(kind):
    """With its rule, when to take it and its cost. Base classes are named."""
    page = (DOCS / "variants.md").read_text(encoding="utf-8")
    found = re.findall(rf"^### `{kind}\.(\w+)`$(.*?)(?=^#|\Z)", page, re.M | re.S)
    module = getattr(keras_sam, kind)
    assert sorted(name for name, _ in found) == sorted(set(names(module)) - BASES)
    for name, text in found:
        assert re.match(r"\n\n```text\n.*```\n\n\*\*When:", text, re.S), name
        assert "\n**Cost:** " in text, name
    assert all(f"`{kind}.{base}`" in page for base in BASES & set(names(module)))


def test_every_page_is_in_the_navigation():
    """Those of the nav that are no files of docs/ come from `docs/hooks.py`."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = set(re.findall(r"^ +- (?:[^:\n]+: )?([\w/]+\.md)$", text, re.M))
    others = re.findall(r'": "(\w+\.md)"', (DOCS / "hooks.py").read_text())
    assert len(others) > 1
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert nav == pages - {"pypi.md"} | set(others)


def loaded(name):
    place = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


def test_tables_of_other_files_are_there():
    tables = loaded("tables")
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    shown = tables.on_page_markdown(page)
    assert page.count("<!-- table") > 2 and "<!-- table" not in shown
    assert "seed=" not in shown
    with pytest.raises(ValueError, match="not there"):
        tables.on_page_markdown('<!-- table of README.md after "no such words" -->')


WRITTEN = """[a](other.md#b), [`c`](../benchmarks/README.md#d),
![e](../examples/quickstart.png), [n](../examples/notebooks/devices.ipynb),
[f](../setup.py), [g](https://example.org), [h](#i), `x[0](../j)`
```python
y[0](../k)
```
"""
SHOWN = """[a](other.md#b), [`c`](benchmarks.md#d),
![e](files/examples/quickstart.png), [n](files/examples/notebooks/devices.ipynb),
{setup}, [g](https://example.org), [h](#i), `x[0](../j)`
```python
y[0](../k)
```
"""


@pytest.fixture
def hooks(monkeypatch):
    """Without mkdocs, which the tests do not have."""
    for name in ("mkdocs", "mkdocs.structure"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    files = types.SimpleNamespace(File=None)
    monkeypatch.setitem(sys.modules, "mkdocs.structure.files", files)
    return loaded("hooks")


def test_the_public_address_has_one_place(hooks):
    """Its lines are in `pyproject.toml`, marked as comments until there is one."""
    metadata = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert len(re.findall("^(?:# )?Repository = ", metadata, re.M)) == 1
    public = re.sub(r"^# (\[project.urls\]|Repository)", r"\1", metadata, flags=re.M)
    urls = re.search(r"^\[project.urls\]\n((?:\w.*\n)+)", public, re.M)[1]
    addresses = re.findall('"(.*)"', urls)
    assert hooks.public_address(public) == addresses[0]
    assert all(address.startswith(addresses[0]) for address in addresses)
    hidden = re.sub("^Repository", "# Repository", public, flags=re.M)
    assert hooks.public_address(hidden) == ""


@pytest.mark.parametrize(
    "address, setup",
    [
        ("", "f (`setup.py`)"),
        ("https://u.org/k", "[f](https://u.org/k/blob/main/setup.py)"),
    ],
)
def test_links_to_files_outside_of_docs(address, setup, hooks, monkeypatch):
    monkeypatch.setattr(hooks, "ADDRESS", address)
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="page.md"))
    assert hooks.on_page_markdown(WRITTEN, page) == SHOWN.format(setup=setup)
    page.file.src_uri = "benchmarks.md"  # Which is benchmarks/README.md.
    link = hooks.on_page_markdown("[a](../docs/choosing.md#b)", page)
    assert link == "[a](choosing.md#b)"
    picture = "![c](cost_of_generalization.png)"
    shown = hooks.on_page_markdown(picture, page)
    assert shown == "![c](files/benchmarks/cost_of_generalization.png)"


def test_docstrings_become_markdown(monkeypatch):
    """Without griffe. All of them have what the parser does not know in this form."""
    stub = types.SimpleNamespace(Extension=object)
    monkeypatch.setitem(sys.modules, "griffe", stub)
    as_markdown = loaded("docstrings").as_markdown
    monitor = as_markdown(inspect.getdoc(keras_sam.callbacks.SharpnessMonitor))
    assert "`][keras_sam.analysis.sharpness]" in monitor
    assert ">>>" not in monitor and "# ['average_rise', 'loss'" in monitor
    modules = [getattr(keras_sam, name) for name in MODULES]
    for each in [getattr(module, name) for module in modules for name in names(module)]:
        text = inspect.getdoc(each) or ""
        shown = as_markdown(text)
        assert not re.search(r">>>|^(Example|Reference|Returns):", shown, re.M), each
        assert shown.count("```python") == len(re.findall("^Example:", text, re.M)), each

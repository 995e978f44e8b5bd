"""A plugin for pytest. With `--form`, Keras's test modules find sharpness-aware classes.

    python -m pytest -p tests.keras_own.plugin --form=mixin --outcomes=out.json FILES

While a test module is imported, Keras's names for `Model` and `Sequential` are those of the
substitutes, from which its classes derive then. What the module calls `keras` or `models`
is a copy with these names afterwards; Keras itself has its own again.
"""

import contextlib
import json
import sys
import types
from unittest import mock

import keras
import pytest

from tests.keras_own.substitutes import at_zero, substitutes

# Dict from a test to its outcome and what a failure says.
OUTCOMES = {}
NAMESPACES = {"keras", "keras.src", "keras.models", "keras.src.models"}


def skip_if_backend(backend, reason):
    """What Keras's test modules import of the `conftest` that its wheel lacks."""
    return pytest.mark.skipif(keras.backend.backend() == backend, reason=reason)


sys.modules["conftest"] = types.ModuleType("conftest")
sys.modules["conftest"].skip_if_backend = skip_if_backend


def pytest_addoption(parser):
    parser.addoption("--form", default="plain", help="In place of Keras's classes.")
    parser.addoption("--outcomes", help="A JSON file: the outcome of each test.")


def pytest_configure(config):
    at_zero()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    if not isinstance(collector, pytest.Module):
        return (yield)
    places = substitutes(collector.config.getoption("form"))
    with replaced(places):
        report = yield
    if report.failed:
        return report
    for name, value in list(vars(collector.obj).items()):
        if isinstance(value, types.ModuleType) and value.__name__ in NAMESPACES:
            setattr(collector.obj, name, copied(value, places))
    return report


@contextlib.contextmanager
def replaced(places):
    """Every name within Keras for a class is one for its substitute; not the public ones,
    which `keras_sam` asks for."""
    with contextlib.ExitStack() as stack:
        for module in [m for n, m in sys.modules.items() if n.startswith("keras.src")]:
            for name, value in list(vars(module).items()):
                if isinstance(value, type) and value in places:
                    stack.enter_context(mock.patch.object(module, name, places[value]))
        yield


def copied(module, places):
    copy = types.ModuleType(module.__name__)
    for name, value in vars(module).items():
        if isinstance(value, types.ModuleType) and value.__name__ in NAMESPACES:
            value = copied(value, places) if value.__name__ != "keras" else value
        setattr(copy, name, places.get(value, value) if isinstance(value, type) else value)
    return copy


def pytest_collectreport(report):
    if report.failed:
        OUTCOMES[report.nodeid] = {"outcome": "not collected", "said": report.longreprtext}


def pytest_runtest_logreport(report):
    """The worst of setup, call and teardown, and what a failure says."""
    if report.outcome == "passed" and report.when != "call":
        return
    said = report.longreprtext if report.failed else ""
    lines = [line for line in said.splitlines() if line.startswith("E ")]
    if OUTCOMES.get(report.nodeid, {}).get("outcome") != "failed":
        OUTCOMES[report.nodeid] = {"outcome": report.outcome, "said": "\n".join(lines)}


def pytest_sessionfinish(session):
    path = session.config.getoption("outcomes")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(OUTCOMES, file, indent=0)

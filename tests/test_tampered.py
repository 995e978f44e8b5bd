"""Files that are broken or tampered with: an error, and none of their code runs."""

import base64
import json
import marshal
import zipfile

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents

CONFIG = "config.json"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "model.keras"
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(2)(keras.layers.Dropout(0.5, seed=1)(inputs))
    model = keras_sam.SAMModel(inputs, outputs, ascent=ascents.Averaged(0.5))
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    model.save(path)
    return path


def rewritten(file, path, change):
    """A copy of the file in which `change` has rewritten the config."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == CONFIG:
                config = json.loads(content)
                change(config["config"])
                content = json.dumps(config)
            new.writestr(name, content)
    return path


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off(file, part, tmp_path):
    whole = file.read_bytes()
    cut = tmp_path / "model.keras"
    cut.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises((ValueError, OSError, zipfile.BadZipFile)):
        keras.models.load_model(cut)


def test_a_file_without_its_weights(file, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if not name.endswith(".h5"):
                new.writestr(name, old.read(name))
    with pytest.raises((KeyError, ValueError, OSError)):
        keras.models.load_model(path)


ran = []


def a_lambda():
    """As Keras writes one, which would run here."""
    code = marshal.dumps((lambda *args: ran.append(args)).__code__)
    value = {"code": base64.b64encode(code).decode(), "defaults": None, "closure": None}
    return {"class_name": "__lambda__", "config": {"value": value}}


def a_class(module, name, **config):
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


CODE = {
    "lambda": a_lambda,
    "of the system": lambda: a_class("os", "system", command="exit"),
    "of this module": lambda: a_class(__name__, "Runs"),
    "a function": lambda: {"class_name": "function", "config": "system", "module": "os"},
}


class Runs:
    @classmethod
    def from_config(cls, config):
        ran.append(config)


@pytest.mark.parametrize("setting", ["ascent", "descent", "schedule", "rho", "method"])
@pytest.mark.parametrize("code", CODE)
def test_a_file_with_code(file, setting, code, tmp_path):
    """Safe mode stays on for the settings, too."""
    tampered = rewritten(
        file,
        tmp_path / "model.keras",
        lambda config: config.update({setting: CODE[code]()}),
    )
    refused = r"deserialization of a Python lambda|could not be deserialized"
    with pytest.raises((TypeError, ValueError), match=refused):
        keras.models.load_model(tampered)
    assert not ran


BAD = {"rho": [-1.0, "large", None], "m": [0, "all"], "ascent": [3, {"class_name": 1}]}


@pytest.mark.parametrize("name, value", [(n, v) for n, vs in BAD.items() for v in vs])
def test_settings_that_are_none(file, name, value, tmp_path):
    tampered = rewritten(
        file, tmp_path / "model.keras", lambda config: config.update({name: value})
    )
    with pytest.raises((TypeError, ValueError)) as error:
        keras.models.load_model(tampered)
    assert name in str(error.value) or "deserializ" in str(error.value)

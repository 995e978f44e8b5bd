"""The seeds in a `.keras` file, of a class that has changed since, or written by hand."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.helpers import array
from tests.models import classify

RATE = 0.3


@keras.saving.register_keras_serializable("seeds")
class Net(keras_sam.SAMModel):
    """Of which each version has another number of layers with a seed."""

    version = 2

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dropouts = [layers.Dropout(RATE, seed=i + 5) for i in range(Net.version)]
        self.dense = layers.Dense(3)

    def call(self, x, training=None):
        for dropout in self.dropouts:
            x = dropout(x, training=training)
        return self.dense(x)


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(16, 5)).astype("float32"), rng.integers(0, 3, 16)


def make():
    model = classify(Net(rho=0.1))
    model(data()[0])
    return model


def train(model):
    model.fit(*data(), batch_size=8, shuffle=False, verbose=0)
    return model


def seeds(model):
    return [array(v).astype("uint32").tolist() for v in model.variables if "seed" in v.path]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(Net, "version", 2)
    train(make()).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


@pytest.mark.parametrize(
    "version, expected", [(1, [[5, 2]]), (3, [[5, 2], [6, 2], [7, 0]])]
)
def test_a_class_with_another_number_of_seeds(file, version, expected, monkeypatch):
    monkeypatch.setattr(Net, "version", version)
    message = f"The file has 2 seeds .* and the model has {version}."
    with pytest.warns(UserWarning, match=message):
        model = keras.models.load_model(file)
    assert seeds(model) == expected
    train(model)


def test_a_class_that_has_no_seeds_left(file, monkeypatch):
    monkeypatch.setattr(Net, "version", 0)
    with pytest.warns(UserWarning, match="the model has 0"):
        train(keras.models.load_model(file))


def test_a_class_that_had_no_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(Net, "version", 0)
    train(make()).save(tmp_path / "model.keras")
    monkeypatch.setattr(Net, "version", 1)
    model = keras.models.load_model(tmp_path / "model.keras")
    assert seeds(model) == [[5, 0]]


def _with(file, text):
    """The file with another `seeds.json`."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["assets/seeds.json"] = text.encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file


WRONG = [
    "[[1.5, 2], [3, 4]]",
    "[[-1, 2], [3, 4]]",
    "[[18446744073709551616, 2], [3, 4]]",
    "[[true, 2], [3, 4]]",
    "[[1], [3, 4]]",
    "[[1, 2], [3, NaN]]",
    "[1, 2]",
    '{"a": [1, 2]}',
    "[[1, 2], [3",
]


@pytest.mark.parametrize("text", WRONG)
def test_seeds_that_are_none(file, text):
    message = r"(?s)`seeds.json`, an asset of the file, must be a list.*Received: "
    with pytest.raises(ValueError, match=message):
        keras.models.load_model(_with(file, text))


def test_the_largest_seed(file):
    """PyTorch has no uint32 to keep it in."""
    largest = [[2**32 - 1, 2**31], [0, 1]]
    model = keras.models.load_model(_with(file, json.dumps(largest)))
    assert seeds(model) == largest
    model.save(file)
    assert seeds(keras.models.load_model(file)) == largest

"""The seeds of a model's layers, which Keras leaves out of its files.

Without them a run that is resumed draws other dropout masks than the uninterrupted one.
They are an asset of the `.keras` file, so that files of weights stay the plain model's.
"""

import json
from pathlib import Path

import keras

FILE = "seeds.json"


def save(model, directory):
    seeds = [keras.ops.convert_to_numpy(v).tolist() for v in _seeds(model)]
    if seeds:
        Path(directory, FILE).write_text(json.dumps(seeds), encoding="utf-8")


def load(model, directory):
    if directory is None or not Path(directory, FILE).exists():
        return
    seeds = json.loads(Path(directory, FILE).read_text(encoding="utf-8"))
    for variable, seed in zip(_seeds(model), seeds, strict=True):
        variable.assign(keras.ops.convert_to_tensor(seed, variable.dtype))


def _seeds(model):
    weights = {id(v) for v in model.weights}
    return [v for v in model.variables if id(v) not in weights]

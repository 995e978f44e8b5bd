"""The seeds of a model's layers, which Keras leaves out of its files.

Without them a run that is resumed draws other dropout masks than the uninterrupted one.
They are an asset of the `.keras` file, so that files of weights stay the plain model's.
"""

import json
import warnings
from pathlib import Path

import keras
import numpy as np

FILE = "seeds.json"


def save(model, directory):
    seeds = [_unsigned(keras.ops.convert_to_numpy(v)).tolist() for v in _seeds(model)]
    if seeds:
        Path(directory, FILE).write_text(json.dumps(seeds), encoding="utf-8")


def load(model, directory):
    """Takes over the seeds of a file, in order, as far as the model has as many."""
    if directory is None or not Path(directory, FILE).exists():
        return
    variables = _seeds(model)
    wide = any(keras.backend.standardize_dtype(v.dtype) == "int64" for v in variables)
    seeds = _read(Path(directory, FILE), bits=63 if wide else 32)
    if len(seeds) != len(variables):
        warnings.warn(
            f"The file has {len(seeds)} seeds of layers that draw random numbers, and the "
            f"model has {len(variables)}. As many as both have are taken over, in their "
            "order; the numbers that are drawn are not those of an uninterrupted run.",
            stacklevel=2,
        )
    for variable, seed in zip(variables, seeds):
        seed = np.array(seed, "int64").astype(
            keras.backend.standardize_dtype(variable.dtype)
        )
        variable.assign(keras.ops.convert_to_tensor(seed))


def _read(path, bits):
    text = path.read_text(encoding="utf-8")
    try:
        seeds = json.loads(text)
    except json.JSONDecodeError:
        seeds = None
    if not isinstance(seeds, list) or not all(_is_seed(s, bits) for s in seeds):
        raise ValueError(
            f"`{FILE}`, an asset of the file, must be a list of seeds, each of them two "
            f"integers from 0 to 2 ** {bits} - 1. Received: {text}"
        )
    return seeds


def _is_seed(seed, bits):
    return (
        isinstance(seed, list)
        and len(seed) == 2
        and all(type(number) is int and 0 <= number < 2**bits for number in seed)
    )


def _unsigned(seed):
    """PyTorch has no uint32: Keras keeps its bits in an int32."""
    return seed.astype("uint32") if seed.dtype == "int32" else seed


def _seeds(model):
    weights = {id(v) for v in model.weights}
    return [v for v in model.variables if id(v) not in weights]

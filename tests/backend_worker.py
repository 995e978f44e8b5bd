"""Trains saved models for two steps, on the backend that the environment names."""

import sys
from pathlib import Path

import keras
import numpy as np

import keras_sam  # noqa: F401, the file's classes
from tests.helpers import array
from tests.models import random_images


def main(source, target):
    model = keras.models.load_model(source)
    # A file from JAX would have PyTorch compile, which takes a minute.
    model.jit_compile = model.jit_compile and keras.backend.backend() != "torch"
    logs = model.fit(*random_images(20), batch_size=10, shuffle=False, verbose=0).history
    model.save(target)
    variables = [*model.variables, *model.optimizer.variables]
    values = {f"{i} {v.path}": array(v) for i, v in enumerate(variables)}
    np.savez(Path(target).with_suffix(".npz"), **values, **logs)


if __name__ == "__main__":
    for source, target in zip(sys.argv[1::2], sys.argv[2::2]):
        main(source, target)

"""One of several processes on JAX, started as a user would."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from tests.helpers import array
from tests.jax_devices import BATCH, DATA, network
from tests.models import classify, random_images


def main(index, processes, address, m, folder):
    keras.distribution.initialize(address, processes, index)
    keras.utils.set_random_seed(1)
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    m = int(m) if m.isdigit() else {"None": None}.get(m, m)
    model = classify(keras_sam.SAMModel(*network(), rho=0.5, m=m))
    # Keras gives each process its part of each batch.
    data = tf.data.Dataset.from_tensor_slices(random_images(3 * BATCH)).batch(BATCH)
    history = model.fit(data, epochs=2, shuffle=False, verbose=0).history
    weights = {v.path: array(v) for v in model.variables}
    np.savez(folder / f"{index}.npz", **weights, **history)
    keras.distribution.set_distribution(None)
    with pytest.warns(UserWarning, match="each trains a model of its own"):
        classify(keras_sam.SAMModel(*network())).fit(*DATA, verbose=0)


if __name__ == "__main__":
    index, processes, address, m, folder = sys.argv[1:]
    main(int(index), int(processes), address, m, Path(folder))

"""A network and its training on several devices of JAX."""

import keras
import numpy as np
from keras import layers

import keras_sam
from tests.models import classify, cnn, random_images

BATCH = 16
DATA = random_images(3 * BATCH)


def devices(n):
    return [f"cpu:{i}" for i in range(n)]


def data_parallel(n):
    return lambda: keras.distribution.DataParallel(devices=devices(n))


def model_parallel(shape, kernel=(None, "model"), output=None):
    """The layer `wide` in parts along the mesh's second axis."""

    def make():
        mesh = keras.distribution.DeviceMesh(
            shape, ("batch", "model"), devices(int(np.prod(shape)))
        )
        layout = keras.distribution.LayoutMap(mesh)
        layout[".*wide/kernel"] = kernel
        layout[".*wide/bias"] = ("model",)
        if output is not None:
            layout[".*wide/output"] = output
        return keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")

    return make


def network():
    """Batch norm, a seed, a metric and a regularizer; and a layer to be split."""
    inputs, outputs = cnn()
    wide = layers.Dense(8, activation="relu", name="wide")(layers.Dense(4)(outputs))
    return inputs, layers.Dense(3)(wide)


def fit(batches, distribution, m, base=keras_sam.SAMModel, epochs=2, **kwargs):
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    keras.distribution.set_distribution(distribution and distribution())
    settings = {} if base is keras.Model else {"rho": 0.5, "m": m}
    model = classify(base(*network(), **settings), **kwargs)
    history = model.fit(
        *batches, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0
    ).history
    return model, history

"""A linear model, whose loss rises by exactly rho times the norm of its gradient."""

import keras
import numpy as np
from keras import layers, ops

import keras_sam


def linear(rho=0.5, rate=0.0, **kwargs):
    """y = x w, with the mean of the predictions as its loss."""
    inputs = keras.Input((4,))
    outputs = layers.Dense(1, use_bias=False, **kwargs)(inputs)
    model = keras_sam.SAMModel(inputs, outputs, rho=rho)
    model.compile(keras.optimizers.SGD(rate), lambda y, y_pred: ops.mean(y_pred))
    return model


def data(n=16):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4)).astype("float32")
    return x, rng.normal(size=(n, 1)).astype("float32")

"""Hessians in full, by products with unit vectors, and small models that have them."""

import keras
import numpy as np
from keras import layers

from keras_sam.analysis._flat import flat, unflat
from keras_sam.analysis._loss import Loss
from tests.helpers import array


def hessian(model, x, y, sample_weight=None, **settings):
    """All of it, column by column."""
    settings = {"batch_size": 32, **settings}
    loss = Loss(model, (x, y, sample_weight), **settings)
    columns = [flat(loss.product(unflat(e, loss.weights))) for e in np.eye(loss.size)]
    return np.stack(columns, axis=1)


def data(n=21, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    return x, rng.normal(size=(n, 2)), rng.uniform(0.5, 2, n)


def mlp(loss="mse"):
    """Batch norm, a regularizer, and a weight that no loss uses."""
    inputs = keras.Input((4,))
    x = layers.Dense(3, activation="tanh")(inputs)
    x = layers.BatchNormalization(momentum=0.5)(x)
    outputs = layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.01))(x)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model


def quadratic():
    """L(w) = mean (x w - y)^2, and its gradient and Hessian at the weights."""
    x, y, _ = data()
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, use_bias=False)])
    model.compile("sgd", "mse")
    w = array(model.weights[0])
    return model, x, y, w

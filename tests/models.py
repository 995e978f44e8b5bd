"""Models, and data for them."""

import keras
import numpy as np
from keras import layers, ops


def random_images(n):
    """Images in 3 classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 8, 8, 1)).astype("float32")
    return x, rng.integers(0, 3, n)


def cnn(dropout=0.3, seed=None):
    """Inputs and outputs of a network with all that has to move once a step.

    Without a seed, dropout on PyTorch draws from a generator that no file keeps.
    """
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(dropout, seed=seed)(x)
    return inputs, keras.layers.Dense(3)(x)


def classify(model, optimizer=None, **kwargs):
    """Compiles for `images`; a function of the seed alone."""
    model.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **kwargs,
    )
    return model


def small():
    inputs = keras.Input((8,))
    x = keras.layers.Dense(4)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.3, seed=1)(x)
    return inputs, keras.layers.Dense(3)(x)


def rows(n=24):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 8)).astype("float32"), rng.integers(0, 3, n)


def functional():
    return keras.Model(*cnn(seed=1))


def sequential():
    inputs, outputs = cnn(seed=1)
    stack = keras.Model(inputs, outputs).layers
    return keras.Sequential([keras.Input((8, 8, 1)), *stack[1:]])


def unbuilt_sequential():
    return keras.Sequential(sequential().layers)


@keras.saving.register_keras_serializable("tests")
class Net(keras.Model):
    """With a loss and a metric of its own, and two arguments of `call`."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.flatten = layers.Flatten()
        self.dropout = layers.Dropout(0.2, seed=1)
        self.norm = layers.BatchNormalization()
        self.dense = layers.Dense(units)
        self.seen = keras.metrics.Sum(name="seen")

    def call(self, x, training=None):
        x = self.norm(self.flatten(x), training=training)
        return self.dense(self.dropout(x, training=training))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if training:
            self.seen.update_state(keras.ops.ones_like(y))
        return 2.0 * super().compute_loss(x, y, y_pred, sample_weight, training)


def subclassed():
    model = Net()
    model(np.zeros((1, 8, 8, 1)))
    return model


def unbuilt_subclassed():
    return Net()


class Counting(layers.Layer):
    """Has a metric, a counter and a moving average, which its `call` moves."""

    def __init__(self):
        super().__init__()
        self.mean = keras.metrics.Mean(name="mean_of_inputs")
        self.calls = self.add_weight(dtype="int32", trainable=False, initializer="zeros")
        self.average = self.add_weight(trainable=False, initializer="ones")

    def call(self, x):
        self.mean.update_state(x)
        self.calls.assign_add(1)
        self.average.assign(0.5 * self.average + 0.5 * ops.mean(x))
        return x

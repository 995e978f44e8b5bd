"""The digits and the network that `examples/quickstart.py` had when they were measured.

A copy, so that the example can change and the numbers of the benchmark stay true.
"""

import time

import keras
import numpy as np
import step_networks
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

BATCH_SIZE = 32


def load_data(noise):
    """Three splits of digits and labels; the test labels alone are all right."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).reshape(-1, 8, 8, 1).astype("float32")
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(y)) < noise
    y = np.where(wrong, rng.integers(0, 10, len(y)), y)
    x, x_val, y, y_val = train_test_split(x, y, test_size=0.25, random_state=0)
    return (x, y), (x_val, y_val), (x_test, y_test)


def build_network():
    return step_networks.digits(keras)


class EpochTimes(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.end = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(self.end - self.start)

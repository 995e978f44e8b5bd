"""The two tasks of flatness.py: data, network, and the settings that are tried."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import NamedTuple

import digits
import keras
import numpy as np
from data import idx


class Data(NamedTuple):
    """Three pairs of images and labels."""

    train: tuple
    validation: tuple
    test: tuple


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned, and how.

    Attributes:
        load: Function of `--data_dir`, which returns `Data`.
        settings: Tuple of dicts with rho, m (0 for the whole batch) and learning rate.
        epochs: Integer.
        batch_size: Integer.
        looks: Tuple of the epochs after which the spectrum is taken.
        seeds: Integer, the runs of each setting.
        measured: Integer, of how many training examples sharpness and spectra are.
        points: Integer, of the landscape in each direction.
    """

    load: Callable
    settings: tuple
    epochs: int
    batch_size: int
    looks: tuple
    seeds: int = 2
    measured: int = 512
    points: int = 25


def grid(rhos, rates, m=0):
    pairs = itertools.product(rhos, rates)
    return [{"rho": rho, "m": m, "learning_rate": rate} for rho, rate in pairs]


def load_digits(data_dir):
    return Data(*digits.load_data(noise=0.4))


def load_fashion(data_dir, train=3000, validation=3000, noise=0.0):
    """So many training images, as many others to choose by, and all test images.

    A part of the labels is made random, but for those of the test.
    """
    if data_dir is None:
        raise ValueError("--task=fashion needs `--data_dir`. Received: --data_dir=None")
    images, test = (idx.images(data_dir, split) for split in ("train", "t10k"))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(images))[: train + validation]
    wrong = rng.random(len(order)) < noise
    labels = np.where(wrong, rng.integers(0, 10, len(order)), images.labels[order])
    x = images.images[order].astype("float32") / 255
    test = test.images.astype("float32") / 255, test.labels
    return Data((x[:train], labels[:train]), (x[train:], labels[train:]), test)


def network(shape):
    """The digits network without batch norm; on larger images its first stride is 2."""
    inputs = x = keras.Input(shape)
    first = 1 if shape[0] < 16 else 2
    for filters, strides in ((32, first), (64, 2), (128, 1)):
        x = keras.layers.Conv2D(
            filters, 3, strides, "same", activation="relu", kernel_initializer="he_normal"
        )(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return inputs, keras.layers.Dense(10)(x)


TASKS = {
    "digits": Task(
        load_digits,
        (
            *grid([0.0], [0.003, 0.01, 0.03, 0.1]),
            *grid([0.05, 0.1, 0.2, 0.4], [0.01, 0.03, 0.1]),
            *grid([0.05, 0.1, 0.2], [0.03], m=16),
            *grid([0.02, 0.05, 0.1], [0.03], m=4),
        ),
        epochs=40,
        batch_size=32,
        looks=(2, 10, 40),
    ),
    "fashion": Task(
        load_fashion,
        (
            *grid([0.0], [0.03, 0.1, 0.2, 0.3]),
            *grid([0.05, 0.1, 0.2], [0.1, 0.2, 0.3]),
        ),
        epochs=60,
        batch_size=128,
        looks=(2, 10, 60),
        seeds=5,
    ),
}


def for_smoke(task):
    """A few seconds of it: one epoch, few examples, one setting of each kind."""

    def load(data_dir):
        return Data(*((x[:64], y[:64]) for x, y in task.load(data_dir)))

    settings = grid([0.0], [0.03]) + grid([0.1], [0.03]) + grid([0.05], [0.03], m=16)
    return dataclasses.replace(
        task,
        load=load,
        settings=tuple(settings),
        epochs=1,
        looks=(1,),
        seeds=1,
        measured=32,
        points=5,
    )

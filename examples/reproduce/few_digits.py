"""A few of scikit-learn's digits, as a second task after Fashion-MNIST."""

import keras
import numpy as np
from data import seeds
from data.source import Images
from sklearn import datasets

# Digits of each class to fine-tune on, and all that choices are made and tested by.
EACH = 10
VALIDATION, TEST = 300, 900
SIDE = 28


def load(seed, validation):
    """Images and labels to train on, and to test on.

    Args:
        seed: Integer, which chooses the digits to train on.
        validation: Whether the second are those that settings are chosen by.

    Returns:
        Two `Images` of 28 pixels. Those that test are the same for all seeds.
    """
    digits = datasets.load_digits()
    all_ = Images(_large(digits.images), digits.target)
    order = np.random.default_rng([0, seeds.SUBSET]).permutation(len(all_))
    test, choose, rest = np.split(order, [TEST, TEST + VALIDATION])
    rest = np.random.default_rng([seed, seeds.SUBSET]).permutation(rest)
    train = [rest[all_.labels[rest] == label][:EACH] for label in range(10)]
    return all_.take(np.concatenate(train)), all_.take(choose if validation else test)


def _large(images):
    """8 by 8 pixels from 0 to 16, as uint8 images in the size of Fashion-MNIST's."""
    images = images[..., np.newaxis].astype("float32") * 255 / 16
    images = keras.ops.image.resize(images, (SIDE, SIDE), interpolation="bilinear")
    return np.round(keras.ops.convert_to_numpy(images)).astype("uint8")

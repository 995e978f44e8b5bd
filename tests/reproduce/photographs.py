"""Images to test augmentations on, as arrays of uint8."""

import functools

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image


@functools.cache
def photograph(height, width):
    """scikit-learn's flower, made small."""
    picture = Image.fromarray(load_sample_image("flower.jpg"))
    return np.array(picture.resize((width, height)))


def noise(height, width, channels=3, low=0, high=256):
    shape = (height, width, channels)
    return np.random.default_rng(0).integers(low, high, shape, dtype=np.uint8)


def grey(image):
    """With one channel."""
    return np.array(Image.fromarray(image).convert("L"))[..., np.newaxis]


def images():
    """By name: of 1 and 3 channels, square and not, with all levels and with few."""
    return {
        "photograph": photograph(32, 32),
        "large photograph": photograph(83, 120),
        "grey photograph": grey(photograph(32, 32)),
        "noise": noise(32, 32),
        "dark noise": noise(31, 28, low=20, high=90),
        "grey noise": noise(28, 28, channels=1),
        "one level": np.full((32, 32, 3), 77, np.uint8),
        "few levels": noise(32, 32, low=100, high=103),
    }

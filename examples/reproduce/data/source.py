"""What a set of images is, once it is found."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
    """Images in memory, for small ones.

    Args:
        images: Array of shape (count, height, width, channels), uint8.
        labels: Array of shape (count,), integers from 0.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def take(self, which):
        """The images at some indices, or of a slice."""
        return Images(self.images[which], self.labels[which])


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """Encoded images in files, for large ones.

    Args:
        count: Integer, the number of images.
        read: Function of a seed, an integer tensor of shape (2,), or of None. It returns a
            `tf.data.Dataset` of all (encoded image, label), in an order that the seed
            chooses, and always the same without one.
    """

    count: int
    read: Callable

    def __len__(self):
        return self.count


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Training and test images, and the numbers that go with them.

    Args:
        classes: Integer, the number of classes.
        mean: Tuple of floats, of each channel, where an image is between 0 and 1.
        std: Tuple of floats, the standard deviation of each channel, likewise.
        train: `Images` or `Records`.
        test: As `train`.
    """

    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Images | Records
    test: Images | Records

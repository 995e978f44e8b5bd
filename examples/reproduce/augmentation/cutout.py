"""Cutout: a square of each image is hidden.

Reference:
    - [DeVries & Taylor, 2017](https://arxiv.org/abs/1708.04552)
"""

import tensorflow as tf

from augmentation import streams
from augmentation.squares import square


def cutout(image, seed, side=16):
    """Sets a square of one normalised image to zero, the mean.

    The square's centre is uniform over the pixels, and the borders clip the square. The
    paper's code draws one centre a batch; this function, as Cutout's paper, one an image.

    Args:
        image: Tensor of shape (height, width, channels), floating.
        seed: Integer tensor of shape (2,).
        side: Length of the square's side in pixels. Defaults to `16`.
    """
    centre = tf.random.stateless_uniform([2], tf.random.fold_in(seed, streams.CUTOUT))
    shown = ~square(image, side, tf.unstack(centre))
    return image * tf.cast(shown, image.dtype)

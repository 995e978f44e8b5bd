"""Which pixels of an image are in a square."""

import tensorflow as tf

from augmentation.geometry import size


def square(image, side, centre):
    """A mask of shape (height, width, 1), true in the square, which borders may clip.

    It begins `side // 2` pixels before the centre pixel. With an even side it thus has one
    pixel less after the centre than before it.

    Args:
        image: Tensor of shape (height, width, channels).
        side: Length of the square's side in pixels, a number or a scalar tensor.
        centre: Two numbers from 0 to below 1: where the centre pixel is, as a part of the
            height and of the width.
    """
    side = tf.cast(side, tf.int32)
    rows, columns = (_between(n, side, part) for n, part in zip(size(image), centre))
    return rows[:, tf.newaxis, tf.newaxis] & columns[:, tf.newaxis]


def _between(count, side, part):
    middle = tf.cast(tf.cast(count, tf.float32) * part, tf.int32)
    distance = tf.range(count) - middle + side // 2
    return (distance >= 0) & (distance < side)

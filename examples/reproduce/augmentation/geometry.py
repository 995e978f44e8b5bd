"""Shears, translations and rotations of one uint8 image, equal to Pillow's.

Pillow computes in fixed point which pixel each pixel of the result is copied from
(nearest neighbour, 16 bits after the point). So does `affine`, and gives the same pixels.
Pixels from outside of the image get the colour `fill`, a number for each channel.
"""

import math

import tensorflow as tf

BITS = 16


def affine(image, matrix, fill):
    """The image through an affine map, as `Image.transform` of Pillow gives it.

        result[y, x] = image[d * x + e * y + f, a * x + b * y + c]

    Args:
        image: Tensor of shape (height, width, channels), uint8, each side below 16384.
        matrix: The numbers a, b, c, d, e, f. They may be scalar tensors.
        fill: Tuple of `channels` numbers from 0 to 255.
    """
    a, b, c, d, e, f = (scalar(number) for number in matrix)
    height, width = size(image)
    column = _source(a, b, c + 0.5 * (a + b), height, width)
    row = _source(d, e, f + 0.5 * (d + e), height, width)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    # The colour `fill` is one more pixel, after the last one of the image.
    pixels = tf.reshape(image, (height * width, image.shape[-1]))
    pixels = tf.concat([pixels, tf.constant([fill], image.dtype)], axis=0)
    return tf.gather(pixels, tf.where(inside, row * width + column, height * width))


def shear_x(image, shear, fill):
    """Moves row y to the left by `shear * y` pixels."""
    return affine(image, (1, shear, 0, 0, 1, 0), fill)


def shear_y(image, shear, fill):
    """Moves column x upwards by `shear * x` pixels."""
    return affine(image, (1, 0, 0, shear, 1, 0), fill)


def translate_x(image, pixels, fill):
    """Moves the image to the left."""
    return affine(image, (1, 0, pixels, 0, 1, 0), fill)


def translate_y(image, pixels, fill):
    """Moves the image upwards."""
    return affine(image, (1, 0, 0, 0, 1, pixels), fill)


def rotate(image, degrees, fill):
    """Turns the image about its centre, counterclockwise."""
    angle = scalar(degrees) * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    height, width = size(image)
    x, y = (tf.cast(side, tf.float64) / 2 for side in (width, height))
    matrix = (cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)
    return affine(image, matrix, fill)


def size(image):
    """Height and width: integers where they are known, or else scalar tensors."""
    dynamic = tf.shape(image)
    return tuple(
        dynamic[axis] if side is None else side for axis, side in enumerate(image.shape[:2])
    )


def scalar(number):
    """In float64, from which nothing is lost."""
    if tf.is_tensor(number):
        return tf.cast(number, tf.float64)
    return tf.constant(number, tf.float64)


def _source(by_x, by_y, start, height, width):
    """Which row or column each pixel is copied from."""
    by_x, by_y, start = (_fixed(number) for number in (by_x, by_y, start))
    from_row = tf.range(height)[:, tf.newaxis] * by_y + start
    return tf.bitwise.right_shift(tf.range(width) * by_x + from_row, BITS)


def _fixed(number):
    return tf.cast(tf.floor(number * 2**BITS + 0.5), tf.int32)

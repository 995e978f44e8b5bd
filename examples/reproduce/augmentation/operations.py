"""AutoAugment's operations on the levels of one uint8 image, equal to Pillow's.

An image is a tensor of shape (height, width, channels) with 1 or 3 channels.
"""

import tensorflow as tf

from augmentation.geometry import scalar, size
from augmentation.squares import square


def invert(image):
    """Each level v becomes 255 - v."""
    return 255 - image


def solarize(image, threshold):
    """Inverts the levels from `threshold` on."""
    levels = tf.cast(image, tf.int32)
    return tf.where(levels < tf.cast(threshold, tf.int32), image, 255 - image)


def solarize_add(image, addition):
    """Adds to the levels below 128. Pillow has no such operation."""
    levels = tf.cast(image, tf.int32)
    brighter = tf.clip_by_value(levels + tf.cast(addition, tf.int32), 0, 255)
    return tf.cast(tf.where(levels < 128, brighter, levels), tf.uint8)


def posterize(image, bits):
    """Keeps the first `bits` bits of each level, 0 to 8 of them."""
    others = tf.bitwise.left_shift(1, 8 - tf.cast(bits, tf.int32)) - 1
    return tf.bitwise.bitwise_and(image, tf.cast(255 - others, tf.uint8))


def auto_contrast(image):
    """Stretches the levels of each channel, so that they reach from 0 to 255."""
    low, high = (
        tf.cast(extreme(image, axis=(0, 1)), tf.float64)
        for extreme in (tf.reduce_min, tf.reduce_max)
    )
    scale = 255 / tf.where(high > low, high - low, 1)
    stretched = tf.cast(image, tf.float64) * scale - low * scale
    # Cast to int32 first: a level may be a rounding error below zero.
    stretched = tf.cast(tf.cast(stretched, tf.int32), tf.uint8)
    return tf.where(high > low, stretched, image)


def equalize(image):
    """Spreads the levels of each channel, so that all of them become as frequent."""
    height, width = size(image)
    channels = image.shape[-1]
    levels = tf.cast(image, tf.int32) + 256 * tf.range(channels)
    weights = tf.zeros([0], tf.int32)  # None: each pixel counts once.
    counts = tf.raw_ops.Bincount(arr=levels, size=256 * channels, weights=weights)
    counts = tf.reshape(counts, (channels, 256))
    highest = tf.cast(tf.reduce_max(image, axis=(0, 1)), tf.int32)
    last = tf.gather(counts, highest, batch_dims=1)
    step = (height * width - last[:, tf.newaxis]) // 255
    below = tf.cumsum(counts, axis=1, exclusive=True)
    table = tf.minimum((step // 2 + below) // tf.maximum(step, 1), 255)
    table = tf.where(step > 0, table, tf.range(256))
    return tf.gather(tf.reshape(tf.cast(table, tf.uint8), [-1]), levels)


def cutout(image, side, centre, fill):
    """A square of the colour `fill`, clipped at the borders.

    Args:
        image: Tensor of shape (height, width, channels), uint8.
        side: Length of the square's side.
        centre: Row and column of the centre, as parts of the height and the width.
        fill: Tuple of `channels` numbers from 0 to 255.
    """
    return tf.where(square(image, side, centre), tf.constant(fill, image.dtype), image)


def brightness(image, factor):
    """Away from black: 0 gives black, 1 the image."""
    return _blend(0.0, tf.cast(image, tf.float32), factor)


def contrast(image, factor):
    """Away from the mean grey: 0 gives that grey, 1 the image."""
    height, width = size(image)
    total = tf.reduce_sum(tf.cast(_grey(image), tf.int64))
    pixels = tf.cast(height * width, tf.int64)
    mean = (2 * total + pixels) // (2 * pixels)
    return _blend(tf.cast(mean, tf.float32), tf.cast(image, tf.float32), factor)


def color(image, factor):
    """Away from the greys of the pixels: 0 gives a grey image, 1 the image."""
    return _blend(tf.cast(_grey(image), tf.float32), tf.cast(image, tf.float32), factor)


def sharpness(image, factor):
    """Away from the smoothed image: 0 gives that one, 1 the image. The border stays."""
    levels = tf.cast(image, tf.int32)
    rows = levels[:-2] + levels[1:-1] + levels[2:]
    inner = levels[1:-1, 1:-1]
    total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4 * inner
    smooth = levels + tf.pad((total + 6) // 13 - inner, [(1, 1), (1, 1), (0, 0)])
    return _blend(tf.cast(smooth, tf.float32), tf.cast(levels, tf.float32), factor)


def _grey(image):
    """One channel of int32: the luminance by ITU-R BT.601, rounded as Pillow rounds it."""
    levels = tf.cast(image, tf.int32)
    if image.shape[-1] == 1:
        return levels
    weighted = tf.reduce_sum(levels * (19595, 38470, 7471), axis=-1, keepdims=True)
    return tf.bitwise.right_shift(weighted + 2**15, 16)


def _blend(degenerate, image, factor):
    """From `degenerate` (factor 0) to `image` (1) and beyond, rounded down."""
    factor = tf.cast(scalar(factor), tf.float32)
    levels = degenerate + factor * (image - degenerate)
    return tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)

"""Random crops and flips of one uint8 image, and the crop for evaluation."""

import tensorflow as tf

from augmentation import streams
from augmentation.geometry import size as size_of


def random_crop(image, seed, padding=4):
    """Shifts an image by up to `padding` pixels; its mirror image comes in from outside.

    Args:
        image: Tensor of shape (height, width, channels).
        seed: Integer tensor of shape (2,).
        padding: Integer, less than each side. Defaults to `4`.
    """
    sides = [side for side in image.shape[:2] if side is not None]
    if not all(0 <= padding < side for side in sides):
        raise ValueError(
            "`padding` must be non-negative and less than each side of the image. "
            f"Received: padding={padding}, shape={image.shape}"
        )
    seed = tf.random.fold_in(seed, streams.CROP)
    shift = (-padding, padding + 1)
    shifts = tf.random.stateless_uniform([2], seed, *shift, dtype=tf.int32)
    # In place of `tf.pad`, which takes three times as long.
    for axis, side in enumerate(size_of(image)):
        image = tf.gather(image, _reflected(tf.range(side) + shifts[axis], side), axis=axis)
    return image


def random_flip(image, seed):
    """Exchanges left and right with probability 0.5."""
    seed = tf.random.fold_in(seed, streams.FLIP)
    flips = tf.random.stateless_uniform([], seed) < 0.5
    return tf.cond(flips, lambda: tf.reverse(image, [1]), lambda: image)


def random_resized_crop(image, seed, size=224):
    """A part of an image as ImageNet is trained on, resized to a square.

    The part has 8 to 100 % of the area and an aspect ratio from 3/4 to 4/3. Where ten tries
    find none, it is that of `central_crop`.

    Args:
        image: Tensor of shape (height, width, 3), uint8, or a string: an encoded JPEG, of
            which only the part is decoded.
        seed: Integer tensor of shape (2,).
        size: Integer, the side of the result. Defaults to `224`.
    Returns:
        Tensor of shape (size, size, 3), uint8.
    """
    shape = _shape(image)
    start, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.zeros([1, 0, 4]),
        tf.random.fold_in(seed, streams.RESIZED),
        min_object_covered=0.0,
        aspect_ratio_range=(3 / 4, 4 / 3),
        area_range=(0.08, 1.0),
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )
    none_found = tf.reduce_all(extent[:2] == shape[:2])
    middle, side = _centre(shape, size)
    start = tf.where(none_found, middle, start[:2])
    extent = tf.where(none_found, side, extent[:2])
    return _resize(_crop(image, start, extent), size)


def central_crop(image, size=224):
    """The centre of an image as ImageNet is tested on, resized to a square.

    The part's side is size / (size + 32) of the image's shorter side: 7/8 for 224.

    Args and Returns: as of `random_resized_crop`, without a seed.
    """
    return _resize(_crop(image, *_centre(_shape(image), size)), size)


def _reflected(position, side):
    """Where a position before the first pixel or after the last one is in the image."""
    return side - 1 - abs(side - 1 - abs(position))


def _shape(image):
    if image.dtype == tf.string:
        return tf.image.extract_jpeg_shape(image)
    return tf.shape(image)


def _centre(shape, size):
    """Where the central crop starts, and its height and width."""
    side = tf.reduce_min(shape[:2]) * size // (size + 32)
    return (shape[:2] - side + 1) // 2, tf.stack([side, side])


def _crop(image, start, extent):
    window = tf.concat([start, extent], axis=0)
    if image.dtype == tf.string:
        return tf.image.decode_and_crop_jpeg(image, window, channels=3)
    return tf.image.crop_to_bounding_box(image, *tf.unstack(window))


def _resize(image, size):
    """Bicubic, as TensorFlow does it: a larger image is not smoothed before."""
    image = tf.image.resize(image, (size, size), method="bicubic")
    return tf.saturate_cast(tf.round(image), tf.uint8)

"""Batches of images that are read from their files again in each epoch, as ImageNet's."""

import tensorflow as tf

from data import seeds
from data.batches import (
    deterministic,
    normalise,
    one_hot,
    range_of_epochs,
    steps_per_epoch,
)


def training(source, *, crop, batch_size, epochs, seed, first_epoch=0, augment=None):
    """The batches of all epochs, one after another.

        decode and crop -> augment -> normalise -> batch

    The order of an epoch is a function of the seed and the epoch, and what is random of an
    image, of these and the image's place in the order. A dataset that starts at epoch k
    thus gives what one from epoch 0 gives from there on.

    Args:
        source: `Source` with `Records`.
        crop: Function of an image and a seed, an integer tensor of shape (2,). The image is
            a string, an encoded JPEG, of which the function decodes the part it needs; an
            image of another format comes decoded, of shape (height, width, 3). It returns a
            uint8 image of the size that the model takes. The paper fine-tunes with the crop
            of the evaluation, which has no use for the seed.
        batch_size: Integer. An epoch drops the images that make no full batch.
        epochs: Integer, the epoch to stop before, as in `fit`.
        seed: Integer.
        first_epoch: Integer, as `initial_epoch` in `fit`. Defaults to `0`.
        augment: Function of the cropped image and the same seed. It returns a uint8 image.
            Defaults to `None`.
    Returns:
        `tf.data.Dataset` of (images, one-hot labels), float32. Give `fit` the number of
        batches in an epoch as `steps_per_epoch`, and `shuffle=False`.
    """
    steps = steps_per_epoch(source.train, batch_size)

    def encoded(epoch):
        records = source.train.read(seeds.fold(seed, seeds.ORDER, epoch))
        records = records.take(steps * batch_size).enumerate()
        return records.map(lambda place, record: (epoch, place, *record))

    def example(epoch, place, image, label):
        own = seeds.fold(seed, seeds.IMAGE, epoch, place)
        image = _by_format(image, lambda image: crop(image, own))
        image = image if augment is None else augment(image, own)
        return normalise(image, source), one_hot(label, source)

    examples = range_of_epochs(first_epoch, epochs).flat_map(encoded)
    batches = examples.map(example, tf.data.AUTOTUNE).batch(batch_size, drop_remainder=True)
    return deterministic(batches, (epochs - first_epoch) * steps)


def evaluation(source, *, crop, batch_size, split="test"):
    """The batches of a split, all images, always in the same order.

    Args:
        source: `Source` with `Records`.
        crop: Function of an image as in `training`, without a seed.
        batch_size: Integer. The last batch may be smaller.
        split: String, "test" or "train". Defaults to `"test"`.
    """
    part = getattr(source, split)

    def example(image, label):
        return normalise(_by_format(image, crop), source), one_hot(label, source)

    batches = part.read(None).map(example, tf.data.AUTOTUNE).batch(batch_size)
    return deterministic(batches, -(-len(part) // batch_size))


def _by_format(encoded, crop):
    """A crop of an image: of its string if it is a JPEG, and else of its pixels."""

    def of_pixels():
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return crop(tf.ensure_shape(image, (None, None, 3)))

    return tf.cond(tf.io.is_jpeg(encoded), lambda: crop(encoded), of_pixels)

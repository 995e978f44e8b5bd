"""Batches of images that are all in memory, as CIFAR's."""

import tensorflow as tf

from data import seeds
from data.batches import (
    deterministic,
    normalise,
    one_hot,
    range_of_epochs,
    steps_per_epoch,
)


def training(
    source,
    *,
    batch_size,
    epochs,
    seed,
    first_epoch=0,
    augment=None,
    cutout=None,
    size=None,
    mixup=None,
):
    """The batches of all epochs, one after another.

        augment -> normalise -> cutout -> resize -> batch -> mixup

    The order of an epoch is a function of the seed and the epoch, and what is random of an
    image, of these and the image's index. A dataset that starts at epoch k thus gives what
    one from epoch 0 gives from there on.

    Args:
        source: `Source` with `Images`.
        batch_size: Integer. An epoch drops the images that make no full batch.
        epochs: Integer, the epoch to stop before, as in `fit`.
        seed: Integer.
        first_epoch: Integer, as `initial_epoch` in `fit`. Defaults to `0`.
        augment: Function of a uint8 image and a seed, an integer tensor of shape (2,). It
            returns a uint8 image. Defaults to `None`.
        cutout: The same for a normalised image. It gets the same seed. Defaults to `None`.
        size: Integer, the side to resize images to, bicubic, as where a large model is
            fine-tuned. Defaults to `None`: no resize.
        mixup: Function of a batch of images, their one-hot labels and a seed. It returns
            images and labels. Defaults to `None`.
    Returns:
        `tf.data.Dataset` of (images, one-hot labels), float32. Give `fit` the number of
        batches in an epoch as `steps_per_epoch`, and `shuffle=False`.
    """
    steps = steps_per_epoch(source.train, batch_size)
    images, labels = _on_host(source.train)

    def places(epoch):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(source.train)), seeds.fold(seed, seeds.ORDER, epoch)
        )
        indices = tf.data.Dataset.from_tensor_slices(order[: steps * batch_size])
        return indices.map(lambda index: (epoch, index))

    def example(epoch, index):
        own = seeds.fold(seed, seeds.IMAGE, epoch, index)
        image = tf.gather(images, index)
        image = image if augment is None else augment(image, own)
        image = normalise(image, source)
        image = image if cutout is None else cutout(image, own)
        return _resize(image, size), one_hot(tf.gather(labels, index), source)

    def mix(step, batch):
        return mixup(*batch, seeds.fold(seed, seeds.BATCH, step))

    batches = range_of_epochs(first_epoch, epochs).flat_map(places)
    batches = batches.map(example, tf.data.AUTOTUNE).batch(batch_size, drop_remainder=True)
    if mixup is not None:
        batches = batches.enumerate(first_epoch * steps).map(mix, tf.data.AUTOTUNE)
    return deterministic(batches, (epochs - first_epoch) * steps)


def evaluation(source, batch_size, split="test", size=None):
    """The batches of a split in its own order, all images, as they are but normalised.

    Args:
        source: `Source` with `Images`.
        batch_size: Integer. The last batch may be smaller.
        split: String, "test" or "train". Defaults to `"test"`.
        size: As in `training`.
    """
    part = getattr(source, split)

    def example(image, label):
        return _resize(normalise(image, source), size), one_hot(label, source)

    examples = tf.data.Dataset.from_tensor_slices(_on_host(part))
    batches = examples.map(example, tf.data.AUTOTUNE).batch(batch_size)
    return deterministic(batches, -(-len(part) // batch_size))


def _on_host(part):
    """As tensors in the memory that `tf.data` works in."""
    with tf.device("CPU:0"):
        return tf.constant(part.images), tf.constant(part.labels)


def _resize(image, size):
    if size is None:
        return image
    return tf.image.resize(image, (size, size), method="bicubic")

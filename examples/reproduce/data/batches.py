"""What the batches of small and of large images have in common.

An image goes to a model as float32, normalised by the constants of its set. A label goes as
a one-hot vector, so that mixup, smooth labels and plain ones have one form and one loss.
"""

import tensorflow as tf


def steps_per_epoch(split, batch_size):
    """The number of full batches; the images that are left over wait for another epoch."""
    if batch_size < 1 or batch_size > len(split):
        raise ValueError(
            "`batch_size` must be positive and at most the number of training images, "
            f"{len(split)}. Received: batch_size={batch_size}"
        )
    return len(split) // batch_size


def range_of_epochs(first_epoch, epochs):
    """The numbers of the epochs from `first_epoch` to before `epochs`."""
    if not 0 <= first_epoch < epochs:
        raise ValueError(
            "`first_epoch` must be non-negative and less than `epochs`. "
            f"Received: first_epoch={first_epoch}, epochs={epochs}"
        )
    return tf.data.Dataset.range(first_epoch, epochs)


def normalise(image, source):
    image = tf.cast(image, tf.float32) / 255.0
    return (image - tf.constant(source.mean)) / tf.constant(source.std)


def one_hot(label, source):
    return tf.one_hot(label, source.classes)


def deterministic(dataset, count):
    """The batches in one order, prepared ahead, and how many they are."""
    options = tf.data.Options()
    options.deterministic = True
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)

"""A set of images by its name, from where it is."""

import keras
import tensorflow as tf

from data import folder, idx, sets, tfds_source
from data.smoke import synthetic
from data.source import Source


def load(name, data_dir=None, *, smoke=False, validation=False):
    """Finds a set of images.

    Large images are read from `data_dir` if that has the folders `train` and `test` (see
    `folder`), and Fashion-MNIST if it has MNIST's files (see `idx`). Otherwise TensorFlow
    Datasets reads the set from there, and gets it first if it is not there.

    Args:
        name: String, one of `sets.SETS`, as TensorFlow Datasets names it.
        data_dir: String or path. Defaults to that of TensorFlow Datasets.
        smoke: Whether to make up a few images of the same format, for a first try. Nothing
            is read or downloaded then. Defaults to `False`.
        validation: Whether the test images are the last tenth of the training images, and
            the training images the others, so that settings can be chosen. Defaults to
            `False`.
    Returns:
        A `Source`, with `Images` if the set's images are small, and otherwise `Records`.
    """
    if keras.backend.backend() != "tensorflow":
        # TensorFlow only reads images then, and is not to take the memory of the GPUs.
        tf.config.set_visible_devices([], "GPU")
    image_set = sets.find(name)
    if smoke:
        train, test = synthetic(name, image_set)
    elif name == "fashion_mnist" and idx.is_in(data_dir):
        train, test = idx.load(data_dir, validation)
    elif not image_set.small and (folder.is_in(data_dir) or not image_set.in_tfds):
        train, test = folder.load(data_dir, image_set.classes, validation)
    else:
        train, test = tfds_source.load(name, image_set, data_dir, validation)
    return Source(image_set.classes, *image_set.constants, train, test)

"""A few random images in the format of each source, to try a recipe in seconds."""

import atexit
import gzip
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from data import folder, idx, tfds_source
from data.source import Records

COUNT = 32


def synthetic(name, image_set):
    """Random images and labels, read in the way that the set's own are read.

    TensorFlow Datasets makes up the images of its sets, the same for each split. For other
    sets, files are written to a temporary folder, which is removed when Python ends.
    """
    if not image_set.in_tfds:
        parent = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, parent, ignore_errors=True)
        write_folder(parent, image_set.classes)
        return folder.load(parent, image_set.classes, validation=False)
    with _made_up():
        builder = tfds_source.prepared(name, data_dir=None)
        if image_set.small:
            images = tfds_source.images(builder, image_set.train)
            return images, images
    records = Records(COUNT, lambda seed: _read(builder, image_set.train, seed))
    return records, records


def write_folder(parent, classes, each=1, side=48):
    """Random JPEGs in folders of classes, as `folder` reads them."""
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in range(classes):
            place = Path(parent) / split / f"class_{label:03}"
            place.mkdir(parents=True)
            for i in range(each):
                pixels = generator.integers(256, size=(side, side, 3), dtype="uint8")
                tf.io.write_file(str(place / f"{i}.jpg"), tf.io.encode_jpeg(pixels))


def write_idx(parent, count=COUNT, side=28, classes=10):
    """Random images and labels in MNIST's four files, as `idx` reads them."""
    generator = np.random.default_rng(0)
    for names in idx.FILES.values():
        pixels = generator.integers(256, size=(count, side, side), dtype="uint8")
        labels = generator.integers(classes, size=count, dtype="uint8")
        for name, values in zip(names, (pixels, labels)):
            header = bytes([0, 0, idx.UINT8, values.ndim])
            header += np.array(values.shape, ">u4").tobytes()
            with gzip.open(Path(parent) / f"{name}.gz", "wb") as file:
                file.write(header + values.tobytes())


def _made_up():
    import tensorflow_datasets as tfds

    return tfds.testing.mock_data(COUNT)


def _read(builder, split, seed):
    with _made_up():
        return tfds_source.read(builder, split, seed)

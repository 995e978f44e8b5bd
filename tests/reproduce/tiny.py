"""Sources of images that a test can tell apart."""

import numpy as np
import tensorflow_datasets as tfds
from data.source import Images, Source

CLASSES = 3
COUNTS = {"train": 30, "extra": 20, "test": 8}
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)


def picture(number, side=8):
    """Its pixels say which one it is."""
    return np.full((side, side, 3), number, np.uint8)


def small(count=20, test=7):
    """Image i has i everywhere, and the label i % 3; test images count from 100."""
    pixels = np.stack([picture(i) for i in range(count)])
    test_pixels = np.stack([picture(100 + i) for i in range(test)])
    labels = np.arange(max(count, test)) % CLASSES
    train = Images(pixels, labels[:count])
    return Source(CLASSES, MEAN, STD, train, Images(test_pixels, labels[:test]))


def normal(number):
    """What a model gets of an image that has `number` everywhere, by hand."""
    return (number / 255 - np.array(MEAN)) / np.array(STD)


def numbers(images):
    """Which images these are, after they were normalised."""
    values = np.asarray(images)[:, 0, 0, 0]
    return np.rint((values * STD[0] + MEAN[0]) * 255).astype(int).tolist()


class TinyImages(tfds.core.GeneratorBasedBuilder):
    """A set as TensorFlow Datasets has them, without a download."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(8, 8, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(num_classes=CLASSES),
            "name": tfds.features.Text(),
        }
        features = tfds.features.FeaturesDict(features)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _):
        starts = {"train": 0, "extra": 50, "test": 100}
        return {s: self._generate_examples(starts[s], COUNTS[s]) for s in COUNTS}

    def _generate_examples(self, start, count):
        for i in range(start, start + count):
            yield i, {"image": picture(i), "label": i % CLASSES, "name": str(i)}


def prepare(data_dir, files=4):
    """Writes the set, each split to as many files."""
    builder = TinyImages(data_dir=data_dir)
    config = tfds.download.DownloadConfig(num_shards=files)
    builder.download_and_prepare(download_config=config)

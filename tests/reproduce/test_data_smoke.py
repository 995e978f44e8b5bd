"""Made-up images have the format of each set, and come from nowhere."""

import socket

import data
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from data import large_images, sets, small_images
from data.smoke import COUNT
from data.source import Images

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")


@pytest.fixture(autouse=True)
def _without_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("There is no network.")

    monkeypatch.setattr(socket, "socket", refuse)


@pytest.mark.parametrize("name", sets.SETS)
def test_format(name):
    image_set = sets.SETS[name]
    source = data.load(name, smoke=True)
    assert source.classes == image_set.classes
    assert (source.mean, source.std) == image_set.constants
    for part in source.train, source.test:
        assert isinstance(part, Images) == image_set.small
        if image_set.small:
            side = 28 if name == "fashion_mnist" else 32
            assert part.images.shape == (COUNT, side, side, len(source.mean))
            assert part.images.dtype == np.uint8
            labels = part.labels
        else:
            pictures, labels = zip(*part.read(None).as_numpy_iterator())
            assert tf.io.decode_image(pictures[0]).shape[-1] == 3
        assert len(labels) == len(part)
        assert set(labels) <= set(range(source.classes))


def crop(image, seed=None):
    image = tf.io.decode_jpeg(image, channels=3) if image.dtype == tf.string else image
    return tf.cast(tf.image.resize(image, (16, 16)), tf.uint8)


@pytest.mark.parametrize("name", [name for name, s in sets.SETS.items() if s.in_tfds])
def test_classes_are_those_of_tensorflow_datasets(name):
    with tfds.testing.mock_data():
        features = tfds.builder(name).info.features
    assert sets.SETS[name].classes == features["label"].num_classes


@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist"])
def test_batches_of_small_images(name):
    source = data.load(name, smoke=True)
    training = small_images.training(source, batch_size=8, epochs=2, seed=0)
    assert len(list(training)) == len(training) == 8
    evaluation = small_images.evaluation(source, 16)
    assert sum(len(images) for images, _ in evaluation) == len(source.test)


@pytest.mark.parametrize("name", ["imagenet2012", "fgvc_aircraft"])
def test_batches_of_large_images(name):
    source = data.load(name, smoke=True)
    arguments = {"crop": crop, "batch_size": 16}
    training = large_images.training(source, epochs=2, seed=0, **arguments)
    assert len(list(training)) == len(training) == 2 * (len(source.train) // 16)
    evaluation = large_images.evaluation(source, **arguments)
    assert sum(len(images) for images, _ in evaluation) == len(source.test)

"""Sets of TensorFlow Datasets: values, splits and orders of one that is made here."""

import sys

import data
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from data import tfds_source
from data.sets import ImageSet

from tests.helpers import only_on
from tests.reproduce import tiny

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")
SMALL = ImageSet(3, small=True, train="train+extra")
LARGE = ImageSet(3, train="train+extra")
TRAIN, TEST = [*range(30), *range(50, 70)], list(range(100, 108))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    parent = tmp_path_factory.mktemp("tfds")
    tiny.prepare(parent)
    return parent


def load(image_set, place, validation=False):
    return tfds_source.load("tiny_images", image_set, place, validation)


def numbers(records, seed=None):
    found = []
    for encoded, label in records.read(seed).as_numpy_iterator():
        image = tf.io.decode_png(encoded).numpy()
        assert image.shape == (8, 8, 3) and (image == image.flat[0]).all()
        assert label == image.flat[0] % 3
        found.append(int(image.flat[0]))
    return found


def test_small_images_with_their_labels(place):
    for part, expected in zip(load(SMALL, place), (TRAIN, TEST)):
        found = part.images[:, 0, 0, 0].astype(int)
        assert part.images.dtype == np.uint8 and part.images.shape[1:] == (8, 8, 3)
        assert (part.images == found[:, None, None, None]).all()
        assert sorted(found) == expected
        np.testing.assert_array_equal(part.labels, found % 3)


def test_more_images_than_are_read_at_once(place, monkeypatch):
    whole, _ = load(SMALL, place)
    monkeypatch.setattr(tfds_source, "READ_AT_ONCE", 7)
    train, _ = load(SMALL, place)
    np.testing.assert_array_equal(train.images, whole.images)
    np.testing.assert_array_equal(train.labels, whole.labels)


def test_encoded_images_with_their_labels(place):
    train, test = load(LARGE, place)
    assert len(train) == 50 and sorted(numbers(train)) == TRAIN
    assert len(test) == 8 and sorted(numbers(test)) == TEST


@pytest.mark.parametrize("image_set", [SMALL, LARGE], ids=["small", "large"])
def test_validation_is_the_last_tenth_of_each_training_split(place, image_set):
    def all_of(part):
        return numbers(part) if image_set is LARGE else part.images[:, 0, 0, 0].tolist()

    train, validation = load(image_set, place, validation=True)
    whole, _ = load(image_set, place)
    assert (len(train), len(validation)) == (27 + 18, 3 + 2)
    assert sorted(all_of(train) + all_of(validation)) == TRAIN
    if image_set is SMALL:
        expected = [*all_of(whole)[27:30], *all_of(whole)[48:]]
        assert all_of(validation) == expected


def test_order_is_by_the_seed(place):
    train, _ = load(LARGE, place)
    one, same, other = (numbers(train, tf.constant([seed, 0])) for seed in (1, 1, 2))
    assert sorted(one) == TRAIN
    assert one == same and one != other and one != numbers(train)
    assert numbers(train) == numbers(train)
    dataset = train.read(tf.constant([1, 0]))
    first, second = ([int(label) for _, label in dataset] for _ in range(2))
    assert first == second == [i % 3 for i in one]


def test_files_come_in_random_order(place, monkeypatch):
    monkeypatch.setattr(tfds_source, "SHUFFLE_BUFFER", 1)
    monkeypatch.setattr(tfds_source, "FILES_AT_ONCE", 1)
    train, _ = load(LARGE, place)
    first = {numbers(train, tf.constant([seed, 0]))[0] for seed in range(8)}
    assert len(first) > 2


def test_a_buffer_mixes_what_comes_of_a_file(tmp_path):
    tiny.prepare(tmp_path, files=1)
    image_set = ImageSet(3, train="extra")
    train, _ = load(image_set, tmp_path)
    assert len({tuple(numbers(train, tf.constant([seed, 0]))) for seed in range(4)}) == 4


@pytest.mark.parametrize(
    "name, advice",
    [
        ("imagenet2012", "ILSVRC2012_img_val.tar from https://image-net.org"),
        ("cars196", "Its address of origin is dead. Instead, give a `data_dir` that has"),
        ("food101", "Is there a network"),
    ],
)
def test_a_set_that_cannot_be_had(monkeypatch, tmp_path, name, advice):
    def fail(*args, **kwargs):
        raise AssertionError("words of theirs")

    builder = tfds.core.DatasetBuilder
    monkeypatch.setattr(builder, "download_and_prepare", fail)
    with pytest.raises(RuntimeError) as caught:
        data.load(name, tmp_path)
    assert f"could not prepare `{name}`. " in str(caught.value)
    assert advice in str(caught.value)
    assert str(caught.value).endswith("AssertionError: words of theirs")


def test_without_tensorflow_datasets(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match="pip install tensorflow-datasets"):
        data.load("cifar10")


def test_a_name_that_is_not_known():
    with pytest.raises(ValueError, match=r"one of cifar10, .* name='mnist'"):
        data.load("mnist")

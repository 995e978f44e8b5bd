"""MNIST's files: what they hold, and what is wrong with others."""

import gzip
import struct

import data
import numpy as np
import pytest
from data import sets, tfds_source
from data.smoke import write_idx

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "NumPy alone reads the files.")
COUNTS = {"train": 20, "t10k": 5}


def images_of(count):
    return np.arange(count * 6, dtype=np.uint8).reshape(count, 2, 3)


def labels_of(count):
    return np.arange(count, dtype=np.uint8) % 10


@pytest.fixture(params=["", ".gz"])
def place(request, tmp_path):
    """The four files, written by hand: 20 images of 2 x 3 pixels to train, 5 to test."""
    opener = gzip.open if request.param else open
    for split, n in COUNTS.items():
        with opener(tmp_path / f"{split}-images-idx3-ubyte{request.param}", "wb") as file:
            file.write(struct.pack(">IIII", 2051, n, 2, 3) + images_of(n).tobytes())
        with opener(tmp_path / f"{split}-labels-idx1-ubyte{request.param}", "wb") as file:
            file.write(struct.pack(">II", 2049, n) + labels_of(n).tobytes())
    return tmp_path


def test_values_and_labels(place):
    source = data.load("fashion_mnist", place)
    assert (source.classes, source.mean, source.std) == (10, (0.1307,), (0.3081,))
    for part, n in (source.train, 20), (source.test, 5):
        np.testing.assert_array_equal(part.images, images_of(n)[..., None])
        np.testing.assert_array_equal(part.labels, labels_of(n))
        assert part.images.dtype == np.uint8


def test_validation_is_the_last_tenth_of_training(place):
    source = data.load("fashion_mnist", place, validation=True)
    np.testing.assert_array_equal(source.train.images[..., 0], images_of(20)[:18])
    np.testing.assert_array_equal(source.test.images[..., 0], images_of(20)[18:])
    np.testing.assert_array_equal(source.test.labels, labels_of(20)[18:])


def test_made_up_files_are_read(tmp_path):
    write_idx(tmp_path, count=12)
    source = data.load("fashion_mnist", tmp_path)
    assert source.train.images.shape == source.test.images.shape == (12, 28, 28, 1)
    assert set(source.train.labels) <= set(range(10))


def overwrite(place, name, content):
    for path in place.glob(f"{name}*"):
        path.unlink()
    (place / name).write_bytes(content)


@pytest.mark.parametrize(
    "name, content, message",
    [
        (
            "train-images-idx3-ubyte",
            struct.pack(">IIII", 2049, 20, 2, 3) + images_of(20).tobytes(),
            "magic number 00000803: 3 axes of uint8. Received: 00000801",
        ),
        (
            "train-labels-idx1-ubyte",
            struct.pack(">II", 2051, 20) + labels_of(20).tobytes(),
            "magic number 00000801: 1 axes of uint8. Received: 00000803",
        ),
        (
            "train-images-idx3-ubyte",
            struct.pack(">IIII", 2051, 20, 2, 3) + images_of(20).tobytes()[:-1],
            "as its axes say. Received: axes of (20, 2, 3), 119 values",
        ),
        ("train-images-idx3-ubyte", struct.pack(">II", 2051, 0), "axes of None, 0 values"),
        ("train-images-idx3-ubyte", struct.pack(">IH", 2051, 0), "axes of None, 0 values"),
        ("train-labels-idx1-ubyte", b"", "Received: $"),
        (
            "t10k-labels-idx1-ubyte",
            struct.pack(">II", 2049, 4) + labels_of(4).tobytes(),
            "as many labels as images. Received: 5 images, 4 labels",
        ),
    ],
)
def test_wrong_files(place, name, content, message):
    overwrite(place, name, content)
    message = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=message):
        data.load("fashion_mnist", place)


def test_a_missing_file(place):
    for path in place.glob("t10k-labels*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte or t10k-labels"):
        data.load("fashion_mnist", place)


@pytest.mark.parametrize(
    "name, folder",
    [
        ("cifar10", ""),
        ("cifar10", "classes"),
        ("imagenet2012", ""),
        ("fashion_mnist", None),
    ],
)
def test_all_else_is_left_to_tensorflow_datasets(place, monkeypatch, name, folder):
    def note(*arguments):
        asked.append(arguments)
        return None, None

    (place / "classes" / "train" / "a").mkdir(parents=True)
    asked = []
    monkeypatch.setattr(tfds_source, "load", note)
    data_dir = None if folder is None else place / folder
    data.load(name, data_dir)
    assert asked == [(name, sets.SETS[name], data_dir, False)]

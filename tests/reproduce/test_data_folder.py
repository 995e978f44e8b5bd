"""Images in folders of classes: which ones, their labels, and what is wrong with others."""

import data
import numpy as np
import pytest
import tensorflow as tf
from data import folder
from data.smoke import write_folder
from data.source import Records

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")
# Not in the order of the alphabet, as a folder may list them.
NAMES = ["b", "c", "a"]
EACH = 10


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Image i of class a is 100 everywhere but i in a corner; of b 110, of c 120."""
    parent = tmp_path_factory.mktemp("folder")
    for split in ("train", "test"):
        for name in NAMES:
            (parent / split / name).mkdir(parents=True)
            for i in range(EACH if split == "train" else 2):
                pixels = np.full((4, 4, 3), 100 + 10 * "abc".index(name), np.uint8)
                pixels[0, 0] = i
                suffix = ".PNG" if i % 2 else ".png"
                content = tf.io.encode_png(pixels).numpy()
                (parent / split / name / f"{i}{suffix}").write_bytes(content)
    (parent / "train" / "a" / "notes.txt").write_text("no image")
    (parent / "train" / "list.txt").write_text("no class")
    return parent


def seen(records, seed=None):
    """(class's colour, number of the image, label) of each, in the order of reading."""
    found = []
    for encoded, label in records.read(seed).as_numpy_iterator():
        image = tf.io.decode_png(encoded).numpy()
        found.append((int(image[1, 1, 0]), int(image[0, 0, 0]), int(label)))
    return found


def all_of(each):
    return [(100 + 10 * label, i, label) for label in range(3) for i in range(each)]


def test_each_image_with_its_label(place):
    train, test = folder.load(place, classes=3, validation=False)
    assert isinstance(train, Records)
    assert sorted(seen(train)) == all_of(EACH) and len(train) == 30
    assert sorted(seen(test)) == all_of(2) and len(test) == 6


def test_order_is_by_the_seed(place):
    train, _ = folder.load(place, classes=3, validation=False)
    fixed, again = seen(train), seen(train)
    assert fixed == again
    one, same, other = (seen(train, tf.constant([seed, 0])) for seed in (1, 1, 2))
    assert sorted(one) == all_of(EACH)
    assert one == same and one != other and one != fixed


def test_validation_is_a_tenth_of_mixed_classes(place):
    train, validation = folder.load(place, classes=3, validation=True)
    assert len(train) == 27 and len(validation) == 3
    assert sorted(seen(train) + seen(validation)) == all_of(EACH)
    assert len({label for _, _, label in seen(train)[:10]}) == 3


def test_sets_of_tfds_may_lie_in_a_folder(tmp_path):
    write_folder(tmp_path, classes=196)
    source = data.load("cars196", tmp_path)
    assert len(source.train) == len(source.test) == 196
    with pytest.raises(ValueError, match="each of 37 classes under train/"):
        data.load("oxford_iiit_pet", tmp_path)


def make(parent, *places):
    for name in places:
        (parent / name).mkdir(parents=True)


def test_folder_that_is_not_given():
    with pytest.raises(ValueError, match=r"must be a folder .* data_dir=None"):
        data.load("birdsnap")


def test_folder_without_test(tmp_path):
    make(tmp_path, "train/a")
    with pytest.raises(FileNotFoundError, match=r"no .*test"):
        folder.load(tmp_path, classes=1, validation=False)


def test_other_classes_in_test(tmp_path):
    make(tmp_path, "train/a", "train/b", "test/b", "test/c")
    with pytest.raises(ValueError, match="Only one has: a, c"):
        folder.load(tmp_path, classes=2, validation=False)


def test_class_without_images(tmp_path):
    make(tmp_path, "train/a", "test/a")
    with pytest.raises(FileNotFoundError, match=r"\(.jpeg, .jpg, .png\).*none in .*a\."):
        folder.load(tmp_path, classes=1, validation=False)

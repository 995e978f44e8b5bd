"""Batches of encoded images: each once, and random numbers that a resume keeps."""

import numpy as np
import pytest
import tensorflow as tf
from data import folder, large_images, tfds_source
from data.sets import ImageSet
from data.source import Records, Source

from tests.helpers import only_on
from tests.reproduce import tiny

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")


def from_tfds(parent):
    tiny.prepare(parent)
    return tfds_source.load("tiny_images", ImageSet(3), parent, validation=False)


def from_folder(parent):
    for split, numbers in ("train", range(30)), ("test", range(100, 108)):
        for i in numbers:
            place = parent / split / f"class_{i % 3}"
            place.mkdir(parents=True, exist_ok=True)
            content = tf.io.encode_png(tiny.picture(i)).numpy()
            (place / f"{i}.png").write_bytes(content)
    return folder.load(parent, classes=3, validation=False)


@pytest.fixture(scope="module", params=[from_tfds, from_folder])
def source(request, tmp_path_factory):
    """30 training images, 0 to 29, and 8 test images, 100 to 107, of 8 x 8 pixels."""
    parent = tmp_path_factory.mktemp("large")
    return Source(3, tiny.MEAN, tiny.STD, *request.param(parent))


def corner(image, seed=None):
    return decoded(image)[:4, :4]


def decoded(image):
    return tf.io.decode_jpeg(image, channels=3) if image.dtype == tf.string else image


def shift(image, seed):
    """Adds up to 99, by the seed."""
    return image + tf.cast(
        tf.random.stateless_uniform([], seed, 0, 100, tf.int32), tf.uint8
    )


def batches(source, **kwargs):
    kwargs = {"crop": corner, "batch_size": 8, "epochs": 4, "seed": 3, **kwargs}
    return list(large_images.training(source, **kwargs).as_numpy_iterator())


def test_batches_are_full_and_counted(source):
    arguments = {"crop": corner, "batch_size": 8, "epochs": 2, "seed": 0}
    dataset = large_images.training(source, **arguments)
    assert len(dataset) == len(list(dataset)) == 2 * 3
    assert all(image.shape == (8, 4, 4, 3) for image, _ in dataset.as_numpy_iterator())


def test_an_epoch_has_each_image_once_in_its_own_order(source):
    orders = [tiny.numbers(images) for images, _ in batches(source, batch_size=30)]
    assert all(sorted(order) == list(range(30)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_other_images_are_left_over_in_each_epoch(source):
    seen = [set() for _ in range(4)]
    for i, (images, _) in enumerate(batches(source)):
        seen[i // 3] |= set(tiny.numbers(images))
    assert [len(s) for s in seen] == [24] * 4
    assert len(set.union(*seen)) > 24


def test_values_and_labels_by_hand(source):
    for images, labels in batches(source):
        found = tiny.numbers(images)
        expected = np.stack([tiny.normal(i) for i in found])[:, None, None]
        np.testing.assert_allclose(images, np.broadcast_to(expected, (8, 4, 4, 3)), 1e-5)
        np.testing.assert_array_equal(labels, np.eye(3)[[i % 3 for i in found]])


@pytest.mark.parametrize("first_epoch", [1, 2])
def test_a_later_start_gives_what_an_earlier_one_does(source, first_epoch):
    whole = batches(source, augment=shift)
    rest = batches(source, augment=shift, first_epoch=first_epoch)
    assert len(rest) == 3 * (4 - first_epoch)
    for a, b in zip(whole[3 * first_epoch :], rest):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_the_seed_of_keras_has_no_part(source):
    tf.random.set_seed(1)
    once = batches(source, augment=shift)
    tf.random.set_seed(2)
    np.testing.assert_array_equal(once[-1][0], batches(source, augment=shift)[-1][0])


def test_another_seed_gives_another_order(source):
    one, other = (batches(source, seed=seed, batch_size=30) for seed in (3, 4))
    assert tiny.numbers(one[0][0]) != tiny.numbers(other[0][0])


def test_each_image_has_a_seed_of_its_own_in_each_epoch(source):
    def note(image, seed):
        byte = tf.random.stateless_uniform([], seed, 0, 256, tf.int32)
        return tf.zeros((4, 4, 3), tf.uint8) + tf.cast(byte, tf.uint8)

    drawn = []
    for images, _ in batches(source, batch_size=30, crop=note):
        drawn += tiny.numbers(images)
    # Of 120 random bytes, about 96 differ; were a seed shared by epochs, at most 30 would.
    assert len(set(drawn)) > 70


def test_crop_and_augmentation_get_the_same_seed(source):
    def subtract(image, seed):
        return image - (shift(image, seed) - image)

    def crop(image, seed):
        return shift(corner(image), seed)

    for images, _ in batches(source, crop=crop, augment=subtract, batch_size=30):
        assert sorted(tiny.numbers(images)) == list(range(30))


def test_evaluation_has_all_images_always_in_order(source):
    for split, expected in ("test", range(100, 108)), ("train", range(30)):
        arguments = {"crop": corner, "batch_size": 7, "split": split}
        dataset = large_images.evaluation(source, **arguments)
        images, labels = (np.concatenate(x) for x in zip(*dataset.as_numpy_iterator()))
        found = tiny.numbers(images)
        assert sorted(found) == list(expected)
        assert len(dataset) == -(-len(expected) // 7)
        np.testing.assert_array_equal(labels, np.eye(3)[[i % 3 for i in found]])
        again = np.concatenate([x for x, _ in dataset.as_numpy_iterator()])
        np.testing.assert_array_equal(again, images)


def test_a_jpeg_is_given_to_the_crop_as_it_is():
    jpeg = tf.io.encode_jpeg(np.full((40, 60, 3), 90, np.uint8))
    png = tf.io.encode_png(np.full((20, 30, 1), 30, np.uint8))
    read = tf.data.Dataset.from_tensor_slices(([jpeg, png], [0, 1]))
    records = Records(2, lambda seed: read)
    source = Source(2, (0.0,) * 3, (1 / 255,) * 3, records, records)

    def crop(image, seed=None):
        """The image's size, in the first two pixels."""
        text = image.dtype == tf.string
        shape = tf.image.extract_jpeg_shape(image) if text else tf.shape(image)
        return tf.cast(tf.stack([[shape, shape + int(text)]]), tf.uint8)

    arguments = {"crop": crop, "batch_size": 2}
    for dataset in (
        large_images.training(source, epochs=1, seed=0, **arguments),
        large_images.evaluation(source, **arguments),
    ):
        images, _ = next(dataset.as_numpy_iterator())
        sizes = np.rint(images[:, 0]).astype(int).tolist()
        assert sizes == [[[40, 60, 3], [41, 61, 4]], [[20, 30, 3], [20, 30, 3]]]


def test_bad_batch_size(source):
    with pytest.raises(ValueError, match="Received: batch_size=31"):
        batches(source, batch_size=31)


def test_bad_first_epoch(source):
    with pytest.raises(ValueError, match="Received: first_epoch=4, epochs=4"):
        batches(source, first_epoch=4)

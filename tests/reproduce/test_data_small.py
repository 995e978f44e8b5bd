"""Batches of images in memory: each image once, and random numbers that a resume keeps."""

import numpy as np
import pytest
import tensorflow as tf
from data import seeds, small_images
from data.batches import steps_per_epoch

from tests.helpers import only_on
from tests.reproduce import tiny

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")


def shift(image, seed):
    """Adds up to 99, by the seed."""
    return image + tf.cast(
        tf.random.stateless_uniform([], seed, 0, 100, tf.int32), tf.uint8
    )


def jitter(image, seed):
    return image + tf.random.stateless_normal(tf.shape(image), seed)


def blend(images, labels, seed):
    share = tf.random.stateless_uniform([], seed)
    return tuple(share * x + (1 - share) * x[::-1] for x in (images, labels))


RANDOM = {"augment": shift, "cutout": jitter, "mixup": blend}


def batches(source, **kwargs):
    kwargs = {"batch_size": 6, "epochs": 4, "seed": 3, **kwargs}
    return list(small_images.training(source, **kwargs).as_numpy_iterator())


def test_batches_are_full_and_counted():
    dataset = small_images.training(tiny.small(), batch_size=6, epochs=4, seed=0)
    steps = steps_per_epoch(tiny.small().train, 6)
    assert steps == 3
    assert len(dataset) == len(list(dataset)) == 4 * steps
    images, labels = dataset.element_spec
    assert images.shape == (6, 8, 8, 3) and images.dtype == tf.float32
    assert labels.shape == (6, 3) and labels.dtype == tf.float32


def test_an_epoch_has_each_image_once_in_its_own_order():
    orders = [tiny.numbers(images) for images, _ in batches(tiny.small(), batch_size=20)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert list(range(20)) not in orders


def test_other_images_are_left_over_in_each_epoch():
    seen = [set() for _ in range(4)]
    for i, (images, _) in enumerate(batches(tiny.small())):
        seen[i // 3] |= set(tiny.numbers(images))
    assert [len(s) for s in seen] == [18] * 4
    assert set.union(*seen) == set(range(20))


def test_values_and_labels_by_hand():
    for images, labels in batches(tiny.small()):
        found = tiny.numbers(images)
        expected = np.stack([tiny.normal(i) for i in found])[:, None, None]
        np.testing.assert_allclose(images, np.broadcast_to(expected, (6, 8, 8, 3)), 1e-5)
        np.testing.assert_array_equal(labels, np.eye(3)[[i % 3 for i in found]])


@pytest.mark.parametrize("first_epoch", [1, 2])
def test_a_later_start_gives_what_an_earlier_one_does(first_epoch):
    whole = batches(tiny.small(), **RANDOM)
    rest = batches(tiny.small(), first_epoch=first_epoch, **RANDOM)
    assert len(rest) == 3 * (4 - first_epoch)
    for a, b in zip(whole[3 * first_epoch :], rest):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_the_seed_of_keras_has_no_part():
    tf.random.set_seed(1)
    once = batches(tiny.small(), **RANDOM)
    tf.random.set_seed(2)
    np.testing.assert_array_equal(once[-1][0], batches(tiny.small(), **RANDOM)[-1][0])


def test_another_seed_gives_another_order_and_other_random_numbers():
    one, other = (batches(tiny.small(), seed=seed, batch_size=20) for seed in (3, 4))
    assert tiny.numbers(one[0][0]) != tiny.numbers(other[0][0])


@pytest.mark.parametrize("where", ["augment", "cutout"])
def test_each_image_has_a_seed_of_its_own_in_each_epoch(where):
    drawn = []

    def note(image, seed):
        return image * 0 + tf.cast(tf.random.stateless_uniform([], seed) * 255, image.dtype)

    for images, _ in batches(tiny.small(40), batch_size=40, **{where: note}):
        drawn += images[:, 0, 0, 0].tolist()
    # Of 160 random bytes, about 119 differ; were a seed shared by epochs, at most 40 would.
    assert len(set(drawn)) > 90


def test_augmentation_and_cutout_get_the_seed_of_epoch_and_index():
    images = batches(tiny.small(), augment=shift, epochs=2, batch_size=20)[1][0]
    plain = batches(tiny.small(), epochs=2, batch_size=20)[1][0]
    for index, got in zip(tiny.numbers(plain), tiny.numbers(images)):
        seed = seeds.fold(3, seeds.IMAGE, 1, index)
        assert got == int(shift(tf.constant(index, tf.uint8), seed))


def test_mixup_is_once_a_batch_with_a_seed_of_its_own():
    seen = []

    def note(images, labels, seed):
        share = tf.random.stateless_uniform([], seed)
        return tf.ones_like(images) * share, labels * share

    for images, labels in batches(tiny.small(), mixup=note):
        assert len(np.unique(images)) == 1
        np.testing.assert_array_equal(labels.sum(axis=1), images[:, 0, 0, 0])
        seen.append(images.flat[0])
    assert len(set(seen)) == 12


def test_steps_come_in_the_order_of_the_recipe():
    def brighten(image, seed):
        assert image.dtype == tf.uint8
        return image + tf.constant(100, tf.uint8)

    def hide(image, seed):
        assert image.dtype == tf.float32
        return tf.concat([tf.zeros_like(image[:4]), image[4:]], axis=0)

    images, _ = batches(tiny.small(), augment=brighten, cutout=hide, size=16)[0]
    plain, _ = batches(tiny.small())[0]
    assert images.shape == (6, 16, 16, 3)
    expected = np.stack([tiny.normal(100 + i) for i in tiny.numbers(plain)])
    np.testing.assert_allclose(images[:, -1, -1], expected, rtol=1e-5)
    np.testing.assert_array_equal(images[:, 0], 0.0)


def test_resize_is_bicubic():
    source = tiny.small()
    rows = np.arange(8, dtype="uint8")[None, :, None, None] * 10
    source.train.images[:] = rows
    source.test.images[:] = rows
    expected = tf.image.resize(source.test.images[0] / 255, (16, 16), "bicubic")
    expected = (expected - np.array(tiny.MEAN)) / np.array(tiny.STD)
    for dataset in (
        small_images.training(source, batch_size=6, epochs=1, seed=0, size=16),
        small_images.evaluation(source, batch_size=6, size=16),
    ):
        images, _ = next(dataset.as_numpy_iterator())
        np.testing.assert_allclose(images[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("split, start, count", [("test", 100, 7), ("train", 0, 20)])
def test_evaluation_has_all_images_in_order(split, start, count):
    dataset = small_images.evaluation(tiny.small(), 4, split)
    images, labels = (np.concatenate(x) for x in zip(*dataset.as_numpy_iterator()))
    assert len(dataset) == -(-count // 4)
    assert tiny.numbers(images) == list(range(start, start + count))
    np.testing.assert_array_equal(labels, np.eye(3)[np.arange(count) % 3])


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"batch_size": 0}, "training images, 20. Received: batch_size=0"),
        ({"batch_size": 21}, "training images, 20. Received: batch_size=21"),
        ({"first_epoch": 4}, "Received: first_epoch=4, epochs=4"),
        ({"first_epoch": -1}, "Received: first_epoch=-1, epochs=4"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        batches(tiny.small(), **kwargs)

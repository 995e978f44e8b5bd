"""Cutout of normalised images."""

import numpy as np
import tensorflow as tf
from augmentation.cutout import cutout

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")

COUNT = 4000


def hidden(count=COUNT, side=16, shape=(32, 32, 3)):
    """Of images of ones, which pixels are zero."""
    seeds = tf.data.Dataset.range(count).map(lambda i: tf.stack([i, 1]))
    images = seeds.map(lambda seed: cutout(tf.ones(shape), seed, side)).batch(count)
    result = next(images.as_numpy_iterator())
    assert result.shape == (count, *shape)
    assert result.dtype == np.float32
    assert np.all((result == 0) | (result == 1))
    assert np.all(result == result[..., :1])
    return result[..., 0] == 0


def expected_share(count, side):
    """By position on one axis: which part of the centres hides it."""
    covers = [
        [centre - side // 2 <= i < centre - side // 2 + side for centre in range(count)]
        for i in range(count)
    ]
    return np.mean(covers, axis=1)


def test_centres_are_uniform_over_the_pixels():
    rows, columns = expected_share(32, 16), expected_share(32, 16)
    expected = rows[:, np.newaxis] * columns
    deviation = np.sqrt(expected * (1 - expected) / COUNT)
    assert np.all(np.abs(hidden().mean(axis=0) - expected) < 5 * deviation)


def test_each_square_is_clipped_at_the_borders():
    masks = hidden()
    heights, widths = masks.any(axis=2).sum(axis=1), masks.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(masks.sum(axis=(1, 2)), heights * widths)
    for sides in (heights, widths):
        assert set(sides) == set(range(8, 17))
    # 17 of 32 centres are far enough from the borders.
    whole = masks.sum(axis=(1, 2)) == 256
    assert abs(whole.mean() - (17 / 32) ** 2) < 4 * np.sqrt(0.28 * 0.72 / COUNT)


def test_other_sizes():
    masks = hidden(count=1000, side=3, shape=(9, 20, 1))
    assert masks.sum(axis=(1, 2)).max() == 9
    expected = expected_share(9, 3)[:, np.newaxis] * expected_share(20, 3)
    deviation = np.sqrt(expected * (1 - expected) / 1000)
    assert np.all(np.abs(masks.mean(axis=0) - expected) < 5 * deviation)


def test_the_seed_decides():
    image = tf.random.stateless_normal((32, 32, 3), (0, 0))
    one, same, other = (cutout(image, (0, i)).numpy() for i in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)
    np.testing.assert_array_equal(one[one != 0], image.numpy()[one != 0])

"""Mixup, against its formula in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from augmentation.mixup import mixup

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")

LABELS = np.eye(4, dtype=np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("seed", [(0, 1), (5, 2)])
def test_a_batch_by_hand(seed, dtype):
    images = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype(dtype)
    mixed, labels = mixup(tf.constant(images), tf.constant(LABELS), seed, alpha=1.0)
    share = labels[0, 0].numpy()  # Its partner, the last image, has another class.
    assert 0.5 <= share <= 1
    expected = share * images.astype("float64") + (1 - share) * images[::-1]
    assert mixed.dtype == dtype
    np.testing.assert_allclose(mixed, expected, atol=1e-6 if dtype == "float32" else 4e-3)
    expected = share * LABELS + (1 - share) * LABELS[::-1]
    np.testing.assert_allclose(labels, expected, atol=1e-6)
    np.testing.assert_allclose(np.sum(labels, axis=1), 1, atol=1e-6)


def shares(alpha, count=2000):
    def share(i):
        seed = tf.stack([i, 3])
        return mixup(tf.constant(LABELS), tf.constant(LABELS), seed, alpha)[1][0, 0]

    dataset = tf.data.Dataset.range(count).map(share).batch(count)
    return next(dataset.as_numpy_iterator())


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0, 32.0])
def test_the_share_is_the_larger_part_of_a_beta_variable(alpha):
    squares = (shares(alpha) - 0.5) ** 2
    # The variance of the beta distribution: the square forgets which part is larger.
    expected = 1 / (4 * (2 * alpha + 1))
    assert abs(squares.mean() - expected) < 4 * squares.std() / np.sqrt(len(squares))


def test_a_small_alpha_blends_nothing():
    np.testing.assert_allclose(shares(1e-2, 50).mean(), 1, atol=0.03)


def test_the_seed_decides():
    arrays = tf.constant(LABELS), tf.constant(LABELS)
    one, same, other = (mixup(*arrays, (0, i), 1.0)[1].numpy() for i in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


@pytest.mark.parametrize("alpha", [0, -1.0])
def test_wrong_alpha(alpha):
    with pytest.raises(ValueError, match=f"`alpha` must be .* Received: alpha={alpha}"):
        mixup(tf.constant(LABELS), tf.constant(LABELS), (0, 0), alpha)

"""Wrong labels: as many as asked for, uniform, and only in training."""

import numpy as np
import pytest
from data.noise import with_noise
from data.source import Images, Source

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "NumPy alone makes the labels.")
COUNT = 20_000


def clean(classes=10):
    pixels = np.zeros((COUNT, 1, 1, 1), np.uint8)
    labels = np.arange(COUNT) % classes
    return Source(classes, (0.5,), (1.0,), Images(pixels, labels), Images(pixels, labels))


@pytest.mark.parametrize("fraction", [0.2, 0.4, 0.6, 0.8])
def test_counts(fraction):
    source = clean()
    noisy = with_noise(source, fraction, seed=0).train.labels
    wrong = noisy != source.train.labels
    expected = fraction * 0.9 * COUNT
    # A new label is the old one with probability 0.1, of exactly `fraction * COUNT` ones.
    assert abs(wrong.sum() - expected) < 4 * np.sqrt(fraction * COUNT * 0.1 * 0.9)
    # They lie anywhere: in a tenth of the images, a tenth of the wrong labels.
    tenths = wrong.reshape(10, -1).sum(axis=1)
    assert np.abs(tenths - expected / 10).max() < 5 * np.sqrt(expected / 10)
    # Symmetric: each pair of an old and another new label, as often as any other.
    pairs = np.histogram2d(source.train.labels[wrong], noisy[wrong], bins=10)[0]
    assert (np.diag(pairs) == 0).all()
    each = expected / 90
    assert np.abs(pairs[~np.eye(10, dtype=bool)] - each).max() < 5 * np.sqrt(each)


def test_all_labels_may_be_random_and_none():
    source = clean(classes=2)
    noisy = with_noise(source, 1.0, seed=0).train.labels
    assert abs((noisy != source.train.labels).mean() - 0.5) < 0.02
    np.testing.assert_array_equal(
        with_noise(source, 0.0, seed=0).train.labels, source.train.labels
    )


def test_a_seed_chooses_and_nothing_else_changes():
    source = clean()
    before = source.train.labels.copy()
    noisy = with_noise(source, 0.4, seed=0)
    assert noisy.train.images is source.train.images
    assert noisy.test is source.test
    np.testing.assert_array_equal(source.train.labels, before)
    assert noisy.train.labels.dtype == before.dtype
    again, other = (with_noise(source, 0.4, seed=s).train.labels for s in (0, 1))
    np.testing.assert_array_equal(again, noisy.train.labels)
    assert (other != again).any()


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_bad_fraction(fraction):
    message = f"`fraction` must be between 0 and 1. Received: fraction={fraction}"
    with pytest.raises(ValueError, match=message):
        with_noise(clean(), fraction, seed=0)

"""The augmentation that a run's settings name."""

import dataclasses

import batches
import numpy as np
import pytest
from data.source import Images, Source
from settings import Settings

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")
SETTINGS = Settings(dataset="fashion_mnist", batch_size=8, learning_rate=0.1, epochs=1)


def source(mean):
    pixels = np.full((8, 28, 28, len(mean)), 200, np.uint8)
    images = Images(pixels, np.arange(8))
    return Source(8, mean, (1.0,) * len(mean), images, images)


@pytest.mark.parametrize(
    "mean, fill", [((0.5,), (128,)), ((0.1, 0.2, 0.3), (125, 123, 114))]
)
def test_autoaugment_fills_in_the_colour_of_the_images(mean, fill, monkeypatch):
    monkeypatch.setattr(
        batches, "auto_augment", lambda image, seed, policy, fill: image * 0 + fill
    )
    settings = dataclasses.replace(SETTINGS, augmentation="autoaugment_only")
    data = batches.training(source(mean), settings, seed=0, first_epoch=0, epochs=1)
    images, _ = next(iter(data))
    seen = images.numpy() + np.array(mean)  # Before it was normalised.
    expected = np.array(fill) / 255
    where_not_cut_out = np.abs(images) > 1e-6
    np.testing.assert_allclose(
        seen[where_not_cut_out],
        np.broadcast_to(expected, seen.shape)[where_not_cut_out],
        atol=1e-6,
    )
    assert where_not_cut_out.any()


@pytest.mark.parametrize("augmentation", ["autoaugment", "autoaugment_only", "cutout"])
def test_grey_images(augmentation):
    settings = dataclasses.replace(SETTINGS, augmentation=augmentation)
    data = batches.training(source((0.3,)), settings, seed=0, first_epoch=0, epochs=1)
    images, labels = next(iter(data))
    assert images.shape == (8, 28, 28, 1) and labels.shape == (8, 8)
    assert np.isfinite(images).all() and np.ptp(images.numpy()) > 0

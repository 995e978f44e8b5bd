"""Crops and flips: those of CIFAR, and those of ImageNet."""

import numpy as np
import pytest
import tensorflow as tf
from augmentation.crop import central_crop, random_crop, random_flip, random_resized_crop
from PIL import Image

from tests.helpers import only_on
from tests.reproduce.photographs import photograph

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")


def of_seeds(function, count):
    """The results of `function(seed)`, as an array."""
    seeds = tf.data.Dataset.range(count).map(lambda i: tf.stack([i, 0]))
    return next(seeds.map(function).batch(count).as_numpy_iterator())


@pytest.mark.parametrize("padding", [1, 4])
def test_random_crop_is_uniform_over_the_shifts(padding):
    image = photograph(9, 12)
    around = [(padding, padding)] * 2 + [(0, 0)]
    padded = np.pad(image, around, mode="reflect")
    crops = of_seeds(lambda seed: random_crop(tf.constant(image), seed, padding), 4000)
    shifts = 2 * padding + 1
    found = 0
    for i in range(shifts):
        for j in range(shifts):
            window = padded[i : i + 9, j : j + 12]
            count = (crops == window).all(axis=(1, 2, 3)).sum()
            expected = 4000 / shifts**2
            assert abs(count - expected) < 5 * np.sqrt(expected)
            found += count
    assert found == 4000


@pytest.mark.parametrize("padding", [-1, 9])
def test_wrong_padding(padding):
    with pytest.raises(ValueError, match=f"`padding` must .* Received: padding={padding}"):
        random_crop(tf.constant(photograph(9, 12)), (0, 0), padding)


def test_random_flip_is_one_of_two():
    image = photograph(9, 12)
    flips = of_seeds(lambda seed: random_flip(tf.constant(image), seed), 2000)
    same = (flips == image).all(axis=(1, 2, 3))
    flipped = (flips == image[:, ::-1]).all(axis=(1, 2, 3))
    assert np.all(same ^ flipped)
    assert abs(flipped.mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)


@pytest.mark.parametrize("shape", [(100, 120), (150, 60)])
def test_central_crop_against_pillow(shape):
    """It enlarges here: there Pillow, too, smooths nothing. In float it rounds once."""
    image = photograph(*shape)
    height, width = shape
    side = int(min(shape) * 224 / 256)
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    window = image[top : top + side, left : left + side].astype(np.float32)
    channels = [Image.fromarray(window[..., channel]) for channel in range(3)]
    resized = [c.resize((224, 224), Image.Resampling.BICUBIC) for c in channels]
    expected = np.clip(np.round(np.stack(resized, axis=-1)), 0, 255)
    difference = np.abs(central_crop(tf.constant(image)).numpy() - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def slopes(height, width):
    """An image from which one can read of which part a crop is: its row and its column."""
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)


def test_random_resized_crop_has_areas_and_aspect_ratios():
    height, width = 180, 240
    image = slopes(height, width)
    crops = of_seeds(lambda seed: random_resized_crop(tf.constant(image), seed, 64), 1000)
    crops = crops.astype(float)
    assert crops.shape == (1000, 64, 64, 3)
    # Per pixel of the result, between two that no border has changed.
    heights = (crops[:, 60, 30, 0] - crops[:, 4, 30, 0]) / 56 * 64
    widths = (crops[:, 30, 60, 1] - crops[:, 30, 4, 1]) / 56 * 64
    area, ratio = heights * widths / (height * width), widths / heights
    assert 0.07 < area.min() < 0.1
    assert 0.9 < area.max() < 1.02
    assert 0.71 < ratio.min() < 0.78
    assert 1.28 < ratio.max() < 1.38
    # All places: the first row, the last, and what is between.
    assert crops[:, 0, 0, 0].min() <= 1
    assert crops[:, -1, -1, 0].max() >= height - 2
    assert crops[:, 0, 0, 1].std() > 20


def test_where_no_part_is_found_it_is_the_centre():
    image = tf.constant(photograph(20, 400))
    crops = of_seeds(lambda seed: random_resized_crop(image, seed, 32), 5)
    expected = central_crop(image, 32).numpy()
    np.testing.assert_array_equal(crops, np.broadcast_to(expected, crops.shape))


def test_an_encoded_image_is_cropped_as_a_decoded_one():
    # With colours of half the resolution, the borders of the crop would differ a little.
    encoded = tf.io.encode_jpeg(photograph(120, 160), chroma_downsampling=False)
    decoded = tf.io.decode_jpeg(encoded)
    for i in range(5):
        actual = random_resized_crop(encoded, (i, 0))
        np.testing.assert_array_equal(actual, random_resized_crop(decoded, (i, 0)))
    np.testing.assert_array_equal(central_crop(encoded), central_crop(decoded))


def test_the_seed_decides():
    image = tf.constant(photograph(60, 80))
    for function in (random_crop, random_resized_crop):
        one, same, other = (function(image, (0, i)).numpy() for i in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert np.any(one != other)

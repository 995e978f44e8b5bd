"""AutoAugment's operations against Pillow's: the same pixels, without a tolerance."""

import numpy as np
import pytest
import tensorflow as tf
from augmentation import geometry, operations
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from tests.helpers import only_on
from tests.reproduce.photographs import images, noise, photograph

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")

FILL = (125, 123, 114)
FACTORS = (0.0, 0.1, 0.28, 0.82, 1.0, 1.18, 1.9, 3.0)


def moved(matrix):
    def by_pillow(picture, argument, fill):
        numbers = [argument if number is None else number for number in matrix]
        method = Image.Transform.AFFINE
        return picture.transform(picture.size, method, numbers, fillcolor=fill)

    return by_pillow


def rotated(picture, degrees, fill):
    return picture.rotate(degrees, fillcolor=fill)


def brighter_below_128(picture, addition):
    return picture.point(lambda level: min(level + addition, 255) if level < 128 else level)


def enhanced(name):
    return lambda picture, factor: getattr(ImageEnhance, name)(picture).enhance(factor)


SHEARS = (0.0, 0.03, 0.27, -0.3, 0.5, 1.0)
PIXELS = (0, 1, 9, -10, 40)
MOVES = {
    "shear_x": (moved((1, None, 0, 0, 1, 0)), SHEARS),
    "shear_y": (moved((1, 0, 0, None, 1, 0)), SHEARS),
    "translate_x": (moved((1, 0, None, 0, 1, 0)), PIXELS),
    "translate_y": (moved((1, 0, 0, 0, 1, None)), PIXELS),
    "rotate": (rotated, (0, 3, 27, -30, 45, 90, 180, 211.7)),
}
ADJUSTMENTS = {
    "solarize": (ImageOps.solarize, (0, 25, 128, 255, 256)),
    "solarize_add": (brighter_below_128, (0, 44, 110, 200)),
    "posterize": (ImageOps.posterize, (1, 3, 4, 8)),
    "brightness": (enhanced("Brightness"), FACTORS),
    "contrast": (enhanced("Contrast"), FACTORS),
    "color": (enhanced("Color"), FACTORS),
    "sharpness": (enhanced("Sharpness"), FACTORS),
}
WITHOUT_LEVEL = {
    "auto_contrast": ImageOps.autocontrast,
    "equalize": ImageOps.equalize,
    "invert": ImageOps.invert,
}


def to_pillow(image):
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def assert_same_pixels(actual, picture):
    assert actual.dtype == tf.uint8
    expected = np.array(picture).reshape(actual.shape)
    np.testing.assert_array_equal(actual.numpy(), expected)


@pytest.mark.parametrize("name", images())
@pytest.mark.parametrize("operation", MOVES)
def test_a_move(operation, name):
    by_pillow, arguments = MOVES[operation]
    image = images()[name]
    fill = FILL[: image.shape[-1]]
    move = tf.function(getattr(geometry, operation))
    for argument in arguments:
        actual = move(image, tf.constant(argument, tf.float64), fill)
        colour = fill if len(fill) == 3 else fill[0]
        assert_same_pixels(actual, by_pillow(to_pillow(image), argument, colour))


@pytest.mark.parametrize("name", images())
@pytest.mark.parametrize("operation", ADJUSTMENTS)
def test_an_adjustment(operation, name):
    by_pillow, arguments = ADJUSTMENTS[operation]
    image = images()[name]
    adjust = tf.function(getattr(operations, operation))
    for argument in arguments:
        actual = adjust(image, tf.constant(argument, tf.float64))
        assert_same_pixels(actual, by_pillow(to_pillow(image), argument))


@pytest.mark.parametrize("name", images())
@pytest.mark.parametrize("operation", WITHOUT_LEVEL)
def test_an_operation_without_a_level(operation, name):
    image = images()[name]
    actual = tf.function(getattr(operations, operation))(image)
    assert_same_pixels(actual, WITHOUT_LEVEL[operation](to_pillow(image)))


def test_no_bits_are_kept():
    assert not np.any(operations.posterize(noise(8, 8), 0))


@pytest.mark.parametrize("centre", [(16, 9), (0, 0), (31, 31), (2, 30)])
@pytest.mark.parametrize("side", [1, 2, 7, 16])
def test_cutout_is_a_rectangle_drawn(side, centre):
    image = photograph(32, 32)
    picture = to_pillow(image)
    first = [position - side // 2 for position in centre]
    last = [position + side - 1 for position in first]
    # Pillow has x first, and the last pixel is inside.
    ImageDraw.Draw(picture).rectangle([*first[::-1], *last[::-1]], fill=FILL)
    parts = [(position + 0.5) / 32 for position in centre]
    assert_same_pixels(operations.cutout(image, side, parts, FILL), picture)


def test_cutout_of_nothing():
    image = photograph(32, 32)
    assert_same_pixels(operations.cutout(image, 0, (0.5, 0.5), FILL), to_pillow(image))


def test_an_image_of_unknown_size():
    image = photograph(31, 28)
    unknown = tf.TensorSpec((None, None, 3), tf.uint8)

    @tf.function(input_signature=[unknown])
    def change(image):
        return operations.equalize(geometry.rotate(image, 20.0, FILL))

    expected = ImageOps.equalize(rotated(to_pillow(image), 20, FILL))
    assert_same_pixels(change(image), expected)

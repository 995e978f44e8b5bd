"""AutoAugment and RandAugment: what they perform, how often, and by which seed."""

import numpy as np
import pytest
import tensorflow as tf
from augmentation import geometry, levels, operations, policies
from augmentation.auto import (
    ADJUSTMENTS,
    CIFAR_FILL,
    IMAGENET_FILL,
    MOVES,
    OPERATIONS,
    WITHOUT_LEVEL,
    auto_augment,
    rand_augment,
)
from augmentation.crop import random_flip
from PIL import Image, ImageEnhance, ImageOps

from tests.helpers import only_on
from tests.reproduce.photographs import photograph

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")

COUNT = 2000
ONE_WAY = (*ADJUSTMENTS, *WITHOUT_LEVEL)


def augmented(augment, image, count=COUNT):
    """The results of `augment(image, seed)` for as many seeds."""
    seeds = tf.data.Dataset.range(count).map(lambda i: tf.stack([i, 7]))
    results = seeds.map(lambda seed: augment(tf.constant(image), seed)).batch(count)
    return next(results.as_numpy_iterator())


def assert_as_frequent(occurrences, probability):
    """Within four standard deviations."""
    count = len(occurrences)
    deviation = np.sqrt(probability * (1 - probability) / count)
    assert abs(np.mean(occurrences) - probability) < 4 * deviation


def grey(level):
    return np.full((4, 4, 3), level, np.uint8)


def test_each_operation_has_its_probability_and_place():
    # From 40: Invert gives 215, Brightness 76, and the second after the first 255.
    policy = [[("Invert", 0.3, 0), ("Brightness", 0.8, 10)]]
    result = augmented(lambda image, seed: auto_augment(image, seed, policy), grey(40))
    assert np.all(result == result[:, :1, :1, :1])
    result = result[:, 0, 0, 0]
    assert_as_frequent(result == 40, 0.7 * 0.2)
    assert_as_frequent(result == 215, 0.3 * 0.2)
    assert_as_frequent(result == 76, 0.7 * 0.8)
    assert_as_frequent(result == 255, 0.3 * 0.8)


def test_each_sub_policy_is_as_likely():
    never = ("Equalize", 0.0, 0)
    policy = [[("Brightness", 1.0, level), never] for level in (1, 3, 7, 9, 10)]
    result = augmented(lambda image, seed: auto_augment(image, seed, policy), grey(100))
    levels_of_each, counts = np.unique(result[:, 0, 0, 0], return_counts=True)
    np.testing.assert_allclose(levels_of_each, [28, 64, 136, 172, 190], atol=1)
    for level in levels_of_each:
        assert_as_frequent(result[:, 0, 0, 0] == level, 0.2)
    assert counts.sum() == COUNT


@pytest.mark.parametrize("name", MOVES)
def test_moves_go_either_way(name):
    image = photograph(32, 32)
    policy = [[(name, 1.0, 6), ("Invert", 0.0, 0)]]
    result = augmented(lambda image, seed: auto_augment(image, seed, policy), image)
    argument = levels.cifar(name, 6)
    for sign in (-1, 1):
        one_way = MOVES[name](image, sign * argument, CIFAR_FILL).numpy()
        assert_as_frequent((result == one_way).all(axis=(1, 2, 3)), 0.5)


@pytest.mark.parametrize("name", [n for n in ONE_WAY if n != "SolarizeAdd"])
def test_others_go_one_way(name):
    image = photograph(32, 32)
    policy = [[(name, 1.0, 3)]]
    result = augmented(
        lambda image, seed: auto_augment(image, seed, policy), image, count=20
    )
    expected = _all_results(image, levels.cifar, level=3)[name]
    assert np.all(result == expected)


def test_cutout_is_uniform_over_the_pixels():
    policy = [[("Cutout", 1.0, 1)]]
    result = augmented(
        lambda image, seed: auto_augment(image, seed, policy), grey(0), count=4 * COUNT
    )
    hidden = (result == CIFAR_FILL).all(axis=-1)
    assert np.all((result == 0).all(axis=-1) | hidden)
    # The square of side 2 reaches from one pixel before the centre to the centre.
    for i in range(4):
        for j in range(4):
            centres = (2 if i < 3 else 1) * (2 if j < 3 else 1)
            assert_as_frequent(hidden[:, i, j], centres / 16)


def test_a_sub_policy_is_what_pillow_gives():
    image = photograph(32, 32)
    policy = [[("Equalize", 1.0, 0), ("Color", 1.0, 9)]]
    result = auto_augment(tf.constant(image), tf.constant([3, 4]), policy)
    equalized = ImageOps.equalize(Image.fromarray(image))
    expected = ImageEnhance.Color(equalized).enhance(1.72)
    np.testing.assert_array_equal(result, np.array(expected))


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
@pytest.mark.parametrize("augment", ["auto", "rand"])
def test_the_seed_decides(augment, dtype):
    image = tf.constant(photograph(32, 32))

    @tf.function
    def result(seed):
        if augment == "rand":
            return rand_augment(image, seed)
        return auto_augment(image, seed, policies.CIFAR)

    def of_seeds():
        return [result(tf.constant([1, i], dtype)).numpy() for i in range(30)]

    first, second = of_seeds(), of_seeds()
    np.testing.assert_array_equal(first, second)
    assert len({image.tobytes() for image in first}) > 10


def test_one_seed_serves_an_image():
    """Which sub-policy is drawn says nothing of the flip."""
    image = photograph(8, 8)
    policy = [[("Invert", 1.0, 0)], [("Invert", 0.0, 0)]]
    inverted = augmented(lambda image, seed: auto_augment(image, seed, policy), image)
    inverted = (inverted != image).any(axis=(1, 2, 3))
    flipped = (augmented(random_flip, image) != image).any(axis=(1, 2, 3))
    assert_as_frequent(inverted, 0.5)
    assert_as_frequent(inverted & flipped, 0.25)


def _all_results(image, argument_of, level=9, fill=CIFAR_FILL):
    """Of one operation, by its name; of moves, those of both ways."""
    results = {name: perform(image) for name, perform in WITHOUT_LEVEL.items()}
    for name, adjust in ADJUSTMENTS.items():
        if name != "SolarizeAdd" or argument_of == levels.imagenet:
            results[name] = adjust(image, argument_of(name, level))
    for name, move in MOVES.items():
        for way, sign in (("+", 1), ("-", -1)):
            argument = sign * argument_of(name, level)
            results[name + way] = move(image, argument, fill)
    return {name: np.array(result) for name, result in results.items()}


def test_rand_augment_performs_any_of_16():
    image = photograph(110, 120)
    result = augmented(lambda image, seed: rand_augment(image, seed, layers=1), image, 1000)
    others = np.full(len(result), True)
    for name, expected in _all_results(image, levels.imagenet, fill=IMAGENET_FILL).items():
        same = (result == expected).all(axis=(1, 2, 3))
        assert_as_frequent(same, 1 / 32 if name[-1] in "+-" else 1 / 16)
        others &= ~same
    assert_as_frequent(others, 1 / 16)
    hidden = (result[others] == 128).all(axis=-1)
    assert np.all((result[others] == image).all(axis=-1) | hidden)
    # Up to 72 x 72 pixels, and never less than a quarter of them, in a corner.
    assert 36**2 <= hidden.sum(axis=(1, 2)).min() < hidden.sum(axis=(1, 2)).max() <= 72**2
    assert len(OPERATIONS) == 16


def test_rand_augment_has_layers():
    """Two operations are one after the other, from draws of their own."""
    image = grey(40)
    result = augmented(rand_augment, image)
    # Inverted, 215; made brighter from there, 255.
    both = np.array(operations.brightness(operations.invert(image), 1.72))
    assert_as_frequent((result == both).all(axis=(1, 2, 3)), 1 / 256)
    assert (result == both).all(axis=(1, 2, 3)).any()
    unchanged = rand_augment(tf.constant(image), (0, 0), layers=0)
    np.testing.assert_array_equal(unchanged, image)


def test_magnitude():
    image = photograph(32, 32)
    result = augmented(
        lambda image, seed: rand_augment(image, seed, layers=1, magnitude=4), image, 300
    )
    for sign in (-1, 1):
        sheared = geometry.shear_x(image, sign * 0.12, IMAGENET_FILL)
        assert (result == sheared.numpy()).all(axis=(1, 2, 3)).any()


def test_one_channel():
    image = photograph(32, 32)[..., :1]
    result = augmented(
        lambda image, seed: auto_augment(image, seed, policies.CIFAR, fill=(9,)), image, 200
    )
    assert result.shape == (200, 32, 32, 1)


@pytest.mark.parametrize(
    ("image", "fill", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), CIFAR_FILL, "`image` .* dtype=float32"),
        (np.zeros((4, 4, 2), np.uint8), CIFAR_FILL, "`image` .* shape"),
        (np.zeros((2, 4, 4, 3), np.uint8), CIFAR_FILL, "`image` .* shape"),
        (np.zeros((4, 4, 1), np.uint8), CIFAR_FILL, "`fill` .* fill"),
    ],
)
def test_wrong_arguments(image, fill, message):
    with pytest.raises(ValueError, match=f"{message}.*"):
        auto_augment(tf.constant(image), tf.constant([0, 0]), policies.CIFAR, fill)

"""The tables of AutoAugment's policies, and what their levels mean."""

import collections
import zlib

import pytest
from augmentation import levels, policies
from augmentation.auto import OPERATIONS

from tests.helpers import only_on

pytestmark = only_on("tensorflow", "TensorFlow prepares the data for each backend.")


def test_the_95_of_the_code():
    counts = collections.Counter(name for parts in policies.CIFAR for name, _, _ in parts)
    assert len(policies.CIFAR) == 95
    assert counts == {
        "Equalize": 40,
        "AutoContrast": 35,
        "Solarize": 24,
        "TranslateY": 23,
        "Color": 13,
        "Brightness": 13,
        "Sharpness": 7,
        "ShearY": 7,
        "Invert": 6,
        "Contrast": 6,
        "TranslateX": 4,
        "ShearX": 4,
        "Rotate": 3,
        "Cutout": 3,
        "Posterize": 2,
    }


def test_the_95_have_20_of_the_25_of_the_paper():
    assert len(policies.CIFAR_25) == len(set(policies.CIFAR_25)) == 25
    others = set(policies.CIFAR_25) - set(policies.CIFAR)
    assert others == {policies.CIFAR_25[i - 1] for i in (16, 17, 18, 19, 20)}


def test_the_25_of_svhn():
    counts = collections.Counter(name for parts in policies.SVHN for name, _, _ in parts)
    assert len(policies.SVHN) == 25
    assert counts == {
        "Invert": 12,
        "ShearY": 8,
        "Equalize": 6,
        "ShearX": 6,
        "Solarize": 5,
        "TranslateY": 4,
        "Rotate": 4,
        "AutoContrast": 3,
        "Contrast": 1,
        "TranslateX": 1,
    }


@pytest.mark.parametrize("policy", ["CIFAR", "CIFAR_25", "SVHN"])
def test_each_is_two_operations(policy):
    for parts in getattr(policies, policy):
        assert len(parts) == 2
        for name, probability, level in parts:
            assert name in OPERATIONS
            assert 0 <= probability <= 0.9
            assert round(10 * probability) == pytest.approx(10 * probability)
            assert level in range(10)


@pytest.mark.parametrize(
    ("policy", "digest"),
    [("CIFAR", 723378630), ("CIFAR_25", 2208133915), ("SVHN", 2800858471)],
)
def test_no_entry_has_changed(policy, digest):
    """Since they were compared with the published tables."""
    assert zlib.crc32(repr(getattr(policies, policy)).encode()) == digest


def test_some_entries_by_hand():
    assert policies.CIFAR[1] == (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9))
    assert policies.CIFAR_25[14] == (("Solarize", 0.5, 2), ("Invert", 0.0, 0))
    assert policies.SVHN[-1] == (("ShearX", 0.7, 2), ("Invert", 0.1, 0))


CIFAR_LEVELS = {
    "ShearX": {0: 0, 4: 0.12, 10: 0.3},
    "ShearY": {0: 0, 4: 0.12, 10: 0.3},
    "TranslateX": {0: 0, 3: 3, 10: 10},
    "TranslateY": {0: 0, 3: 3, 10: 10},
    "Rotate": {0: 0, 3: 9, 10: 30},
    "Solarize": {0: 255, 1: 229, 2: 204, 5: 127, 8: 51, 10: 0},
    "Posterize": {0: 4, 3: 3, 5: 2, 7: 2, 9: 1, 10: 0},
    "Color": {0: 0.1, 5: 1.0, 10: 1.9},
    "Contrast": {0: 0.1, 5: 1.0, 10: 1.9},
    "Brightness": {0: 0.1, 5: 1.0, 10: 1.9},
    "Sharpness": {0: 0.1, 5: 1.0, 10: 1.9},
    "Cutout": {0: 0, 3: 6, 3.2: 7, 10: 20},
    "AutoContrast": {7: 0},
    "Equalize": {7: 0},
    "Invert": {7: 0},
}
IMAGENET_LEVELS = CIFAR_LEVELS | {
    "TranslateX": {0: 0, 9: 90, 10: 100},
    "TranslateY": {0: 0, 9: 90, 10: 100},
    "Solarize": {0: 0, 5: 128, 9: 230, 10: 256},
    "SolarizeAdd": {0: 0, 9: 99, 10: 110},
    "Posterize": {0: 0, 5: 2, 9: 3, 10: 4},
    "Cutout": {0: 0, 9: 72, 10: 80},
}


@pytest.mark.parametrize("name", CIFAR_LEVELS)
def test_levels_of_cifar(name):
    for level, argument in CIFAR_LEVELS[name].items():
        assert levels.cifar(name, level) == pytest.approx(argument)


@pytest.mark.parametrize("name", IMAGENET_LEVELS)
def test_levels_of_imagenet(name):
    for level, argument in IMAGENET_LEVELS[name].items():
        assert levels.imagenet(name, level) == pytest.approx(argument)


def test_levels_are_of_all_operations():
    assert set(IMAGENET_LEVELS) == set(OPERATIONS)


@pytest.mark.parametrize("level", [-1, 11])
def test_a_level_out_of_range(level):
    with pytest.raises(ValueError, match=f"`level` must be .* Received: level={level}"):
        levels.cifar("Rotate", level)


def test_an_unknown_operation():
    with pytest.raises(ValueError, match=r"`name` must be .* Received: name=Blur"):
        levels.imagenet("Blur", 1)
    with pytest.raises(ValueError, match="Received: name=SolarizeAdd"):
        levels.cifar("SolarizeAdd", 1)

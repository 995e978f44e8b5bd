"""AutoAugment and RandAugment of one uint8 image.

Reference:
    - [AutoAugment, Cubuk et al., 2019](https://arxiv.org/abs/1805.09501)
    - [RandAugment, Cubuk et al., 2020](https://arxiv.org/abs/1909.13719)
"""

import functools

import tensorflow as tf

from augmentation import geometry, levels, operations, streams
from augmentation.switch import Switch

# About the mean colour of CIFAR-10: what comes in from outside, and Cutout's square.
CIFAR_FILL = (125, 123, 114)
IMAGENET_FILL = (128, 128, 128)

# These go either way, as a coin falls.
MOVES = {
    "ShearX": geometry.shear_x,
    "ShearY": geometry.shear_y,
    "TranslateX": geometry.translate_x,
    "TranslateY": geometry.translate_y,
    "Rotate": geometry.rotate,
}
ADJUSTMENTS = {
    "Solarize": operations.solarize,
    "SolarizeAdd": operations.solarize_add,
    "Posterize": operations.posterize,
    "Color": operations.color,
    "Contrast": operations.contrast,
    "Brightness": operations.brightness,
    "Sharpness": operations.sharpness,
}
WITHOUT_LEVEL = {
    "AutoContrast": operations.auto_contrast,
    "Equalize": operations.equalize,
    "Invert": operations.invert,
}
OPERATIONS = (*MOVES, *ADJUSTMENTS, *WITHOUT_LEVEL, "Cutout")


def auto_augment(image, seed, policy, fill=CIFAR_FILL):
    """Performs one sub-policy of a policy, each as likely as the others.

    The operations of a sub-policy come one after the other, each with its probability.
    Shears, translations and rotations go either way with probability 0.5.

    Args:
        image: Tensor of shape (height, width, channels), uint8, 1 or 3 channels.
        seed: Integer tensor of shape (2,).
        policy: One of `policies`: a tuple of sub-policies, each a tuple of as many
            operations as the others have, each of them (name, probability, level).
        fill: Tuple of `channels` numbers from 0 to 255, the colour of what comes in from
            outside. Defaults to `(125, 123, 114)`.
    """
    _check(image, fill)
    seed = tf.random.fold_in(seed, streams.AUTO)
    return _augment(image, seed, policy, levels.cifar, fill)


def rand_augment(image, seed, layers=2, magnitude=9, fill=IMAGENET_FILL):
    """Performs `layers` operations, each of them any of the 16, with ImageNet's levels.

    Args:
        image: Tensor of shape (height, width, channels), uint8, 1 or 3 channels.
        seed: Integer tensor of shape (2,).
        layers: Integer. Defaults to `2`.
        magnitude: Number from 0 to 10, the level of all operations. Defaults to `9`.
        fill: As of `auto_augment`. Defaults to `(128, 128, 128)`.
    """
    _check(image, fill)
    seed = tf.random.fold_in(seed, streams.RAND)
    policy = [[(name, 1.0, magnitude)] for name in OPERATIONS]
    for own_seed in tf.unstack(tf.random.split(seed, layers)):
        image = _augment(image, own_seed, policy, levels.imagenet, fill)
    return image


def _augment(image, seed, policy, argument, fill):
    names = sorted({name for parts in policy for name, _, _ in parts})
    one_of = _one_of(tuple(names), tuple(fill))
    # One table has all numbers of all operations, (sub-policy, operation, 4).
    table = [
        [
            (names.index(n), p, argument(n, level), -1 if n in MOVES else 1)
            for n, p, level in parts
        ]
        for parts in policy
    ]
    count = len(policy[0])
    choice, *draws = tf.unstack(tf.random.stateless_uniform([1 + 4 * count], seed))
    chosen = tf.constant(table, tf.float64)[_floor(choice * len(policy))]
    for i, row in enumerate(tf.unstack(chosen)):
        which, probability, number, other_way = tf.unstack(row)
        chance, way, *centre = draws[4 * i : 4 * i + 4]
        number *= tf.where(way < 0.5, other_way, 1)
        happens = tf.cast(chance, tf.float64) < probability
        which = tf.where(happens, _floor(which), len(names))
        image = one_of(which, image, number, *centre)
    return image


def perform(name, image, argument, centre, fill):
    """One operation, with its argument; `centre` is for Cutout, as in `operations`."""
    if name in MOVES:
        return MOVES[name](image, argument, fill)
    if name in ADJUSTMENTS:
        return ADJUSTMENTS[name](image, argument)
    if name in WITHOUT_LEVEL:
        return WITHOUT_LEVEL[name](image)
    return operations.cutout(image, argument, centre, fill)


@functools.cache
def _one_of(names, fill):
    """A function of a number and the tensors that a branch takes; beyond the end, none."""

    def branch(name):
        return lambda image, number, y, x: perform(name, image, number, (y, x), fill)

    return Switch([*map(branch, names), lambda image, number, y, x: image])


def _floor(number):
    return tf.cast(number, tf.int32)


def _check(image, fill):
    if image.dtype != tf.uint8:
        raise ValueError(f"`image` must be of uint8. Received: dtype={image.dtype.name}")
    if image.shape.rank != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(
            "`image` must have the shape (height, width, channels) with 1 or 3 channels. "
            f"Received: shape={image.shape}"
        )
    if len(fill) != image.shape[-1]:
        raise ValueError(
            f"`fill` must have a number for each of {image.shape[-1]} channels. "
            f"Received: fill={fill}"
        )

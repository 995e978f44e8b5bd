"""Wrong labels, as in the paper's experiment with label noise."""

import dataclasses

import numpy as np

from data import seeds
from data.source import Images


def with_noise(source, fraction, seed):
    """A source some of whose training labels are random.

    A fraction of the images, chosen at random, gets new labels, uniform over all classes. A
    new label is thus the old one in one of `classes` cases: of 10 classes and a fraction of
    0.4, 36 % of all labels are wrong. The paper does not say whether a label may stay; that
    it may is this function's choice. The test labels stay as they are.

    Args:
        source: `Source` with `Images`.
        fraction: Float from 0 to 1, the part of the labels that is random.
        seed: Integer.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(
            f"`fraction` must be between 0 and 1. Received: fraction={fraction}"
        )
    generator = np.random.default_rng([seed, seeds.NOISE])
    count = round(fraction * len(source.train))
    chosen = generator.permutation(len(source.train))[:count]
    labels = source.train.labels.copy()
    labels[chosen] = generator.integers(source.classes, size=count)
    return dataclasses.replace(source, train=Images(source.train.images, labels))

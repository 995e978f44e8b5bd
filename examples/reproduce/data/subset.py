"""A part of the training images, to see what fewer images give."""

import dataclasses

import numpy as np

from data import seeds


def subset(source, count, seed):
    """A source with `count` of the training images, chosen at random.

    The choice does not look at the labels, so that classes may have different counts.
    """
    if not 0 < count <= len(source.train):
        raise ValueError(
            "`count` must be positive and at most the number of training images, "
            f"{len(source.train)}. Received: count={count}"
        )
    order = np.random.default_rng([seed, seeds.SUBSET]).permutation(len(source.train))
    return dataclasses.replace(source, train=source.train.take(order[:count]))

"""Mixup: images and labels of a batch are blended in pairs.

Reference:
    - [Zhang et al., 2018](https://arxiv.org/abs/1710.09412)
"""

import tensorflow as tf

from augmentation import streams


def mixup(images, one_hot_labels, seed, alpha):
    """Blends the images of a batch, and their labels, with those of the batch reversed.

        share = max(b, 1 - b), with one b ~ Beta(alpha, alpha) for the whole batch
        images = share * images + (1 - share) * images[::-1]

    With the larger of b and 1 - b, an image is the larger part of its own blend.

    Args:
        images: Tensor of shape (batch, ...), floating.
        one_hot_labels: Tensor of shape (batch, classes), floating.
        seed: Integer tensor of shape (2,).
        alpha: Float > 0. Large values blend nearly by halves.
    Returns:
        The blended images and labels.
    """
    if alpha <= 0:
        raise ValueError(f"`alpha` must be positive. Received: alpha={alpha}")
    share = tf.cast(_share(seed, alpha), images.dtype)
    return _blend(images, share), _blend(one_hot_labels, share)


def _share(seed, alpha):
    """A variable of a beta distribution is a gamma variable's share in a sum of two."""
    seed = tf.random.fold_in(seed, streams.MIXUP)
    # In float64, where a small `alpha` does not make both of them zero.
    one, other = tf.unstack(tf.random.stateless_gamma([2], seed, alpha, dtype=tf.float64))
    return tf.maximum(one, other) / (one + other)


def _blend(batch, share):
    share = tf.cast(share, batch.dtype)
    return share * batch + (1 - share) * batch[::-1]

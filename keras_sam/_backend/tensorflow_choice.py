"""Choices that a step makes while it runs, on TensorFlow."""

import keras
import tensorflow as tf


def cond(predicate, yes, no):
    return keras.ops.cond(predicate, yes, no)


def mended(xs, ys, usable, skips):
    return [_mended(x, y, usable, skips) for x, y in zip(xs, ys)]


def _mended(x, y, usable, skips):
    """Of sparse gradients each may have its own rows: one of them is taken as a whole."""
    if not isinstance(x, tf.IndexedSlices):
        kept = tf.logical_and(usable, tf.logical_or(tf.math.is_finite(x), skips))
        return tf.where(kept, x, tf.zeros_like(x) if y is None else y)
    if y is None:
        y = tf.IndexedSlices(tf.zeros_like(x.values), x.indices, x.dense_shape)
    finite = tf.reduce_all(tf.math.is_finite(x.values))
    kept = tf.logical_and(usable, tf.logical_or(finite, skips))
    return tf.cond(kept, lambda: x, lambda: y)

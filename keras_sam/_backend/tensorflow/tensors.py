"""Arithmetic on all weights, on TensorFlow."""

import tensorflow as tf


def dense(gradient):
    return tf.convert_to_tensor(gradient)


def sum_of_squares(tensor):
    """Row by row: several times faster on a CPU than over all axes at once."""
    squares = tf.square(tensor)
    return tf.reduce_sum(tf.reduce_sum(squares, 0) if squares.shape.rank else squares)


def scaled(tensors, factor):
    return [tf.math.multiply_no_nan(tensor, factor) for tensor in tensors]


def mended(xs, ys, usable, skips):
    return [_mended(x, y, usable, skips) for x, y in zip(xs, ys)]


def _mended(x, y, usable, skips):
    """Of sparse gradients each may have its own rows: one of them is taken as a whole."""
    if not isinstance(x, tf.IndexedSlices):
        kept = tf.logical_and(usable, tf.logical_or(tf.math.is_finite(x), skips))
        return tf.where(kept, x, tf.zeros_like(x) if y is None else y)
    if y is None:
        y = tf.IndexedSlices(tf.zeros_like(x.values), x.indices, x.dense_shape)
    elif not isinstance(y, tf.IndexedSlices):
        rows = tf.range(tf.shape(y, x.indices.dtype)[0])
        y = tf.IndexedSlices(y, rows, x.dense_shape)
    finite = tf.reduce_all(tf.math.is_finite(x.values))
    kept = tf.logical_and(usable, tf.logical_or(finite, skips))
    return tf.cond(kept, lambda: x, lambda: y)

"""Choices that a step makes while it runs, on TensorFlow."""

import keras
import tensorflow as tf


def cond(predicate, yes, no):
    return keras.ops.cond(predicate, yes, no)


def are_finite(gradients):
    values = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients]
    half = [v.dtype in (tf.float16, tf.bfloat16) for v in values]
    values = [tf.cast(v, tf.float32) if h else v for v, h in zip(values, half)]
    sums = [tf.math.is_finite(tf.reduce_sum(v)) for v in values]
    return tf.reduce_all(sums)


def choose(predicate, xs, ys):
    ys = [None] * len(xs) if ys is None else ys
    return [x if x is None else _chosen(predicate, x, y) for x, y in zip(xs, ys)]


def _chosen(predicate, x, y):
    """Of sparse gradients each may have its own number of rows."""
    if not isinstance(x, tf.IndexedSlices):
        return tf.where(predicate, x, tf.zeros_like(x) if y is None else y)
    if y is None:
        y = tf.IndexedSlices(tf.zeros_like(x.values), x.indices, x.dense_shape)
    return tf.cond(predicate, lambda: x, lambda: y)

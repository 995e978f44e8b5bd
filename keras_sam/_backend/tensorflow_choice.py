"""Choices that a step makes while it runs, on TensorFlow."""

import keras
import tensorflow as tf


def cond(predicate, yes, no):
    return keras.ops.cond(predicate, yes, no)


def are_finite(gradients):
    return [None if g is None else _is_finite(g) for g in gradients]


def _is_finite(gradient):
    values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
    if values.dtype in (tf.float16, tf.bfloat16):
        values = tf.cast(values, tf.float32)
    return tf.math.is_finite(tf.reduce_sum(values))


def choose(predicates, xs, ys):
    ys = [None] * len(xs) if ys is None else ys
    chosen = zip(predicates, xs, ys)
    return [x if p is None or x is None else _chosen(p, x, y) for p, x, y in chosen]


def _chosen(predicate, x, y):
    """Of sparse gradients each may have its own number of rows."""
    if not isinstance(x, tf.IndexedSlices):
        return tf.where(predicate, x, tf.zeros_like(x) if y is None else y)
    if y is None:
        y = tf.IndexedSlices(tf.zeros_like(x.values), x.indices, x.dense_shape)
    return tf.cond(predicate, lambda: x, lambda: y)

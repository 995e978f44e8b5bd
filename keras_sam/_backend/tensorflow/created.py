"""The variables that the first step creates, on TensorFlow."""

import contextlib

import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import ResourceVariable


@contextlib.contextmanager
@tf.autograph.experimental.do_not_convert
def creating():
    """TensorFlow makes a graph that created variables a second time, for the second step:
    the user waits twice as long. So they are created outside of it. Under a strategy, Keras
    creates them before."""
    if not tf.inside_function() or tf.distribute.has_strategy():
        yield
        return
    with tf.variable_creator_scope(_outside):
        yield


def _outside(_, **kwargs):
    with tf.init_scope():
        # `tf.Variable` would ask the creators of variables again, and this is one.
        return ResourceVariable(**kwargs)

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


def _outside(create, **kwargs):
    initial = kwargs["initial_value"]
    if tf.is_symbolic_tensor(initial):  # It stands in the graph: Adafactor's 0 does.
        initial = tf.get_static_value(initial)
        if initial is None:
            return create(**kwargs)
    with tf.init_scope():
        # `tf.Variable` would ask the creators of variables again, and this is one.
        return ResourceVariable(**kwargs | {"initial_value": initial})

"""What the first step creates, on TensorFlow: variables of the optimizer and the metrics.

TensorFlow makes a graph that created variables a second time, for the second step: the user
waits twice as long. So they are created outside of it. Under a strategy, Keras creates them
before. What is assigned to them at once has to be outside, too, or each step does so.
"""

import contextlib

import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import ResourceVariable


@contextlib.contextmanager
@tf.autograph.experimental.do_not_convert
def outside():
    if not _in_graph():
        yield
        return
    with tf.init_scope(), tf.variable_creator_scope(_create):
        yield


@tf.autograph.experimental.do_not_convert
def after_creating(fn):
    """In a graph that is thrown away, `fn` creates; there is no public name for one. Plain
    training throws its first graph away, with what it assigns there."""
    if _in_graph():
        discarded = tf.__internal__.FuncGraph("discarded")
        with discarded.as_default(), tf.variable_creator_scope(_create):
            fn()
    return fn()


def _in_graph():
    return tf.inside_function() and not tf.distribute.has_strategy()


def _create(create, **kwargs):
    initial = kwargs["initial_value"]
    if tf.is_symbolic_tensor(initial):  # It stands in the graph.
        initial = tf.get_static_value(initial)
        if initial is None:
            return create(**kwargs)
    with tf.init_scope():
        # `tf.Variable` would ask the creators of variables again, and this is one.
        return ResourceVariable(**kwargs | {"initial_value": initial})

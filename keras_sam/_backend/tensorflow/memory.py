"""Variables of which each replica of a strategy has its own, on TensorFlow."""

import keras
import numpy as np
import tensorflow as tf

from keras_sam._backend.tensorflow.replicas import in_replica


def remembered(tensor, count):
    if in_replica():
        raise ValueError(
            "An ascent or a schedule that remembers cannot begin to in a training loop of "
            "your own that runs on replicas: they cannot make variables. Use `fit` or "
            "`train_on_batch`, or call one of them before the loop."
        )
    floating = tensor.dtype.is_floating
    return keras.Variable(
        tensor,
        dtype=tensor.dtype,
        trainable=False,
        autocast=False,
        aggregation="mean" if floating else "only_first_replica",
        synchronization="on_read" if floating else "auto",
    )


def of_replicas(variable, count):
    return np.stack([v.numpy() for v in _copies(variable)])


def assign_to_replicas(variable, values, count):
    for copy, value in zip(_copies(variable), values):
        copy.assign(value)


def _copies(variable):
    """Also outside of the strategy's scope, where the variable has the mean of them."""
    value = variable.value
    strategy = getattr(value, "distribute_strategy", tf.distribute.get_strategy())
    return strategy.experimental_local_results(value)

"""The backend's primitives on TensorFlow."""

import contextlib

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record

from keras_sam._backend import trainer
from keras_sam._backend.draws import Randomness
from keras_sam._backend.tensorflow_choice import cond, mended
from keras_sam._backend.tensorflow_fit import Fit
from keras_sam._backend.tensorflow_fold import fold, head
from keras_sam._backend.tensorflow_scope import Scope

__all__ = ["Fit", "Randomness", "cond", "fold", "head", "mended"]


def train_step(step):
    return step


def read(variables):
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def records(variables):
    """Of a tape TensorFlow has no public name for this."""
    return record.could_possibly_record()


def differentiate(model, fn, variables, weights, state, draws, at=None):
    with tf.GradientTape() as tape:
        tape.watch(weights)
        values = weights if at is None else at(weights)
        with Scope(variables, weights, values, state, tape) as scope, draws.for_a_pass():
            loss, aux = fn()
    return loss, aux, scope.gradients(loss), list(scope.updates.values())


def copied(data):
    return data


def dense(gradient):
    return tf.convert_to_tensor(gradient)


def sum_of_squares(tensor):
    """Row by row: several times faster on a CPU than over all axes at once."""
    squares = tf.square(tensor)
    return tf.reduce_sum(tf.reduce_sum(squares, 0) if squares.shape.rank else squares)


def scaled(tensors, factor):
    return [tf.math.multiply_no_nan(tensor, factor) for tensor in tensors]


def check_reach(model, predict, variables, gradients, draws):
    """Compares with a trace of `predict` on the variables themselves, never run.

    A layer that hides its weights from the tape (`tf.custom_gradient` with captured
    variables, `tf.recompute_grad`, a SavedModel's function) gets a gradient for them only
    as variables: as tensors they would silently stay unperturbed and untrained, or get
    the gradient of their regularizer alone.
    """
    suspects = [
        v for v, g in zip(variables, gradients) if g is None or v.regularizer is not None
    ]
    if not suspects:
        return
    hidden = []

    def trace():
        as_tensors = _reached(predict, variables, read(variables), draws)
        as_variables = _reached(predict, variables, [v.value for v in variables], draws)
        found = {id(v) for v in as_variables} - {id(v) for v in as_tensors}
        hidden.extend(v.path for v in suspects if id(v) in found)

    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        tf.function(trace, autograph=False).get_concrete_function()
    else:
        # Replicas cannot meet in a graph of their own; in this one, TensorFlow prunes it.
        trace()
    if hidden:
        raise ValueError(
            "A layer uses these weights in a way that hides them from the "
            "sharpness-aware step (for example a `tf.custom_gradient` or "
            "`tf.recompute_grad` that captures them, or a @tf.function around the "
            "layer's `call`), so that they could not be perturbed. Pass the weights to "
            f"that function as arguments instead. Received: weights={hidden}"
        )


def _reached(predict, variables, sources, draws):
    """The variables that predictions or added losses use, with `sources` for them."""
    with tf.GradientTape() as tape, draws.for_a_pass():
        tape.watch(sources)
        scope = keras.StatelessScope(list(zip(variables, sources)), collect_losses=True)
        with scope:
            outputs = [*keras.tree.flatten(predict()), *scope.losses]
    outputs = [y for y in outputs if y is not None and y.dtype.is_floating]
    gradients = tape.gradient(outputs, sources)
    return [v for v, g in zip(variables, gradients) if g is not None]


def replicas(model):
    return model.distribute_strategy.num_replicas_in_sync


def shards(model):
    return 1


def check_rows(data, m):
    """In a training loop of the user's own nothing else says how large its batches are."""
    tf.debugging.assert_greater_equal(
        trainer.batch_size(data),
        m,
        "`m` is larger than a replica's batch, whose size was unknown when the step was "
        "compiled: it may be a short batch, or m may span several replicas. Give the "
        "batches a static size with `batch(..., drop_remainder=True)`, or use `fit`.",
    )


def average(tensors, count):
    """TensorFlow has no public mean over a part of the replicas, only over all of them.

    So each group of replicas has a turn, in which the others contribute zeros.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if count == replicas:
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, tensors)
    group = context.replica_id_in_sync_group // count
    for turn in range(replicas // count):
        mine = tf.equal(group, turn)
        parts = [tf.where(mine, t / count, tf.zeros_like(t)) for t in tensors]
        means = context.all_reduce(tf.distribute.ReduceOp.SUM, parts)
        tensors = [tf.where(mine, mean, t) for mean, t in zip(means, tensors)]
    return tensors


def apply(optimizer, gradients, variables):
    optimizer.apply_gradients(zip(gradients, variables))


def remembered(tensor, count):
    if _in_replica():
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


def of_replicas(variable):
    return np.stack([v.numpy() for v in _copies(variable)])


def assign_to_replicas(variable, values):
    for copy, value in zip(_copies(variable), values):
        copy.assign(value)


def _copies(variable):
    """Also outside of the strategy's scope, where the variable has the mean of them."""
    value = variable.value
    strategy = getattr(value, "distribute_strategy", tf.distribute.get_strategy())
    return strategy.experimental_local_results(value)


def replica_index():
    return tf.distribute.get_replica_context().replica_id_in_sync_group


@contextlib.contextmanager
@tf.autograph.experimental.do_not_convert
def model_scope(model):
    """Out of the graph of a step that is being traced, where nothing could be kept."""
    with contextlib.ExitStack() as stack:
        if not _in_replica():
            stack.enter_context(model.distribute_strategy.scope())
        stack.enter_context(tf.init_scope())
        yield


def _in_replica():
    return tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()

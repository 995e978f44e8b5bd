"""A pass of a model on tensors in the place of its variables, on TensorFlow."""

import keras
import tensorflow as tf
from tensorflow.python.eager import record

from keras_sam._backend.tensorflow.scope import Scope


def read(variables):
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def records(variables):
    """Of a tape TensorFlow has no public name for this."""
    return record.could_possibly_record()


def differentiate(layers, fn, variables, weights, state, draws, at=None, inputs=()):
    with tf.GradientTape() as tape:
        tape.watch([weights, inputs])
        values = weights if at is None else at(weights)
        with Scope(variables, weights, values, state, tape) as scope, draws.for_a_pass():
            loss, aux = fn(*inputs)
    gradients = scope.gradients(loss, inputs=inputs)
    return loss, aux, gradients, list(scope.updates.values())


def pullback(layers, fn, variables, weights, state, draws):
    with tf.GradientTape() as tape:
        tape.watch(weights)
        with Scope(variables, weights, weights, state, tape) as scope, draws.for_a_pass():
            tensors, aux = fn(scope)

    def pull(gradients):
        pairs = zip(tensors, gradients)
        gradients = [tf.zeros_like(t) if g is None else g for t, g in pairs]
        return scope.gradients(tensors, gradients)

    return tensors, aux, pull


def check_reach(layers, predict, variables, gradients, draws):
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


def apply(optimizer, gradients, variables):
    optimizer.apply_gradients(zip(gradients, variables))

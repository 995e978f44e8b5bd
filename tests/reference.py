"""An implementation of another kind: eager, with assignments and snapshots."""

import keras
import numpy as np

from tests.helpers import BACKEND, array


def gradient(model, x, y):
    """The loss and its gradient, by the backend's own means, and Keras's side effects."""
    weights = [w.value for w in model.trainable_weights]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True))
        return loss, tape.gradient(loss, weights)
    if BACKEND == "torch":
        loss = model.compute_loss(x, y, model(x, training=True))
        loss.backward()
        gradients = [w.grad for w in weights]
        model.zero_grad()
        return loss.detach(), gradients
    import jax

    variables = model.non_trainable_variables

    def run(weights):
        given = [(v, v.value) for v in variables]
        given += zip(model.trainable_weights, weights)
        with keras.StatelessScope(given, collect_losses=True) as scope:
            loss = model.compute_loss(x, y, model(x, training=True))
        return loss, [scope.get_current_value(v) for v in variables]

    (loss, state), gradients = jax.value_and_grad(run, has_aux=True)(weights)
    for v, value in zip(variables, state):
        v.assign(value)
    return loss, gradients


def reference_step(model, x, y, rho):
    """SAM as the textbooks have it: climb in place, differentiate, climb down."""
    weights = model.trainable_weights
    state = [v for layer in model.layers for v in layer.non_trainable_variables]
    before = [array(v) for v in state]
    loss, g = gradient(model, x, y)
    after = [array(v) for v in state]
    norm = np.sqrt(sum((array(d) ** 2).sum() for d in g)) or 1.0  # A gradient of 0.
    start = [array(w) for w in weights]
    for w, value, d in zip(weights, start, g):
        w.assign(value + rho * array(d) / norm)
    for v, value in zip(state, before):
        v.assign(value)
    loss_perturbed, s = gradient(model, x, y)
    for w, value in zip(weights, start):
        w.assign(value)
    for v, value in zip(state, after):
        v.assign(value)
    model.optimizer.apply_gradients(zip(s, weights))
    return float(loss), float(loss_perturbed - loss)

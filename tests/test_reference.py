"""Against an implementation of another kind: eager, with assignments and snapshots."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import BACKEND, array, assert_identical
from tests.models import classify, cnn


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

    def run(weights):
        state = [v.value for v in model.non_trainable_variables]
        outputs, state = model.stateless_call(weights, state, x, training=True)
        loss, _ = model.stateless_compute_loss(weights, state, [], x=x, y=y, y_pred=outputs)
        return loss, state

    (loss, state), gradients = jax.value_and_grad(run, has_aux=True)(weights)
    for v, value in zip(model.non_trainable_variables, state):
        v.assign(value)
    return loss, gradients


def reference_step(model, x, y, rho):
    """SAM as the textbooks have it: climb in place, differentiate, climb down."""
    weights = model.trainable_weights
    state = [v for layer in model.layers for v in layer.non_trainable_variables]
    before = [array(v) for v in state]
    loss, g = gradient(model, x, y)
    after = [array(v) for v in state]
    norm = np.sqrt(sum((array(d) ** 2).sum() for d in g))
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


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_ten_steps(images, float64, optimizer):
    keras.config.set_dtype_policy("float64")
    x, y = images
    models = [classify(keras.Model(*cnn(seed=1)), optimizer)]
    models.append(
        keras_sam.SAMModel.from_model(keras.models.clone_model(models[0]), rho=0.1)
    )
    classify(models[1], keras.optimizers.get(optimizer))
    for a, b in zip(*(m.variables for m in models)):
        b.assign(a)
    for i in range(10):
        batch = x[i : i + 16].astype("float64"), y[i : i + 16]
        loss, sharpness = reference_step(models[0], *batch, rho=0.1)
        models[1].reset_metrics()
        logs = models[1].train_on_batch(*batch, return_dict=True)
        np.testing.assert_allclose(logs["loss"], loss, rtol=1e-6)
        np.testing.assert_allclose(logs["sharpness"], sharpness, rtol=1e-6)
    assert_identical(models[1].get_weights(), models[0].get_weights(), rtol=1e-11)

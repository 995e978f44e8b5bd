"""Against an implementation of another kind: eager, with assignments and snapshots."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from tests.conftest import assert_identical, classify, cnn


def reference_step(model, x, y, rho):
    """SAM as the textbooks have it: climb in place, differentiate, climb down."""
    weights = model.trainable_weights
    state = [v for layer in model.layers for v in layer.non_trainable_variables]
    before = [np.array(v.value) for v in state]

    def gradient():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True))
        return loss, tape.gradient(loss, [w.value for w in weights])

    loss, g = gradient()
    after = [np.array(v.value) for v in state]
    norm = tf.linalg.global_norm(g)
    start = [np.array(w.value) for w in weights]
    for w, d in zip(weights, g):
        w.assign(w + rho * d / norm)
    for v, value in zip(state, before):
        v.assign(value)
    loss_perturbed, s = gradient()
    for w, value in zip(weights, start):
        w.assign(value)
    for v, value in zip(state, after):
        v.assign(value)
    model.optimizer.apply_gradients(zip(s, weights))
    return float(loss), float(loss_perturbed - loss)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_ten_steps(images, optimizer):
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    x, y = images
    models = [classify(keras.Model(*cnn()), optimizer)]
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

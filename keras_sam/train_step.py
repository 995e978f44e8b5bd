"""Keras's `train_step(data)` around the pure step."""

import warnings

import keras

from keras_sam import _backend
from keras_sam._backend import trainer
from keras_sam.step import Pass, sharpness_aware_step


def train_step(model, data, ascent, rho, sharpness):
    """One step of `model` on `data`. All of it is computed before any of it is written.

    Args:
        model: A built and compiled `keras.Model`.
        data: What `fit` passes: `x`, `(x, y)` or `(x, y, sample_weight)`.
        ascent: Callable `(weights, gradients, rho) -> perturbations`.
        rho: Callable from the optimizer's iterations to the radius.
        sharpness: A `keras.metrics.Mean`, updated with L(w + eps) - L(w).

    Returns:
        Dict of scalars, the logs of Keras's own `train_step`.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    variables = model.trainable_weights

    def forward():
        loss, y_pred = trainer.compute_loss(model, x, y, sample_weight)
        return trainer.scale_loss(model, loss), (loss, y_pred)

    def evaluate(weights):
        _, (loss, y_pred), gradients, updates = _backend.differentiate(
            forward, variables, weights
        )
        return Pass(loss, y_pred, gradients, updates)

    def ascend(weights, gradients):
        _backend.check_reach(forward, variables, gradients)
        directions = [
            None if variable.overwrite_with_gradient else gradient
            for variable, gradient in zip(variables, gradients)
        ]
        return ascent(weights, directions, rho(model.optimizer.iterations))

    batch_size = trainer.batch_size(x)
    if variables:
        step = sharpness_aware_step(evaluate, _backend.read(variables), ascend)
        clean = step.clean
        # Where float8 training hands over a new value as a gradient, the clean pass's.
        gradients = [
            g if variable.overwrite_with_gradient else s
            for variable, g, s in zip(variables, clean.gradients, step.gradients)
        ]
        rise = trainer.unscale_loss_for_distribution(step.sharpness)
        sharpness.update_state(rise, sample_weight=batch_size)
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        clean = evaluate([])

    for variable, value in clean.updates:
        variable.assign(value)
    trainer.update_loss(model, clean.loss, batch_size)
    if variables:
        model.optimizer.apply_gradients(zip(gradients, variables))
    logs = model.compute_metrics(x, y, clean.y_pred, sample_weight=sample_weight)
    if sharpness.name not in logs and variables:
        logs = {**logs, sharpness.name: _shown(model, sharpness, rise)}
    return logs


def _shown(model, sharpness, rise):
    """The entry of the logs where `compute_metrics` has left it out."""
    # Where an overridden `metrics` leaves it out too, nothing resets it each epoch.
    tracked = any(metric is sharpness for metric in model.metrics)
    return sharpness.result() if tracked else rise

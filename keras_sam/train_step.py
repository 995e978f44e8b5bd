"""Keras's `train_step(data)` around the pure step."""

import warnings

import keras

from keras_sam import _backend
from keras_sam._backend import trainer
from keras_sam.step import Pass, sharpness_aware_step


def train_step(model, data, settings):
    """One step of `model` on `data`. All of it is computed before any of it is written.

    Args:
        model: A built and compiled `keras.Model`.
        data: What `fit` passes: `x`, `(x, y)` or `(x, y, sample_weight)`.
        settings: The model's `Settings`. Its metric `sharpness` is updated with
            L(w + eps) - L(w).

    Returns:
        Dict of scalars, the logs of Keras's own `train_step`.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    variables = model.trainable_weights
    evaluate = _evaluation(model, x, y, sample_weight, variables)
    batch_size = trainer.batch_size(x)
    logs = {}

    if variables:
        step = sharpness_aware_step(
            evaluate,
            _backend.read(variables),
            _ascent(model, x, variables, settings),
            # What float8 training hands over as a gradient is a value, not a direction.
            fixed=[variable.overwrite_with_gradient for variable in variables],
        )
        clean = step.clean
        rise = trainer.unscale_loss_for_distribution(step.sharpness)
        logs = _update_sharpness(model, settings.sharpness, rise, batch_size)
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        clean = evaluate([])

    for variable, value in clean.updates:
        variable.assign(value)
    trainer.update_loss(model, clean.loss, batch_size)
    if variables:
        model.optimizer.apply_gradients(zip(step.gradients, variables))
    return logs | model.compute_metrics(x, y, clean.y_pred, sample_weight=sample_weight)


def _evaluation(model, x, y, sample_weight, variables):
    """The callable from weights to a `Pass` over the batch."""

    def forward():
        loss, y_pred = trainer.compute_loss(model, x, y, sample_weight)
        return trainer.scale_loss(model, loss), (loss, y_pred)

    def evaluate(weights):
        _, (loss, y_pred), gradients, updates = _backend.differentiate(
            forward, variables, weights
        )
        return Pass(loss, y_pred, gradients, updates)

    return evaluate


def _ascent(model, x, variables, settings):
    """The callable from weights and gradients to perturbations."""

    def predict():
        return trainer.predict(model, x)

    def ascend(weights, gradients):
        settings.once(
            variables, lambda: _backend.check_reach(predict, variables, gradients)
        )
        rho = settings.rho(model.optimizer.iterations)
        return settings.ascent(weights, gradients, rho)

    return ascend


def _update_sharpness(model, sharpness, rise, batch_size):
    """Returns the entry of the logs, which an overridden `compute_metrics` may lack."""
    sharpness.update_state(rise, sample_weight=batch_size)
    # Where an overridden `metrics` leaves it out too, nothing resets it each epoch.
    tracked = any(metric is sharpness for metric in model.metrics)
    return {sharpness.name: sharpness.result() if tracked else rise}

"""Keras's `train_step(data)` around the pure step."""

import functools
import warnings

import keras
from keras import ops

from keras_sam import _backend
from keras_sam._backend import keras_trainer
from keras_sam._backend.interrupts import held_back
from keras_sam._step import predictions
from keras_sam._step.batch import Training, divided, step_on_batch
from keras_sam._step.curvature import weighted
from keras_sam._step.evaluation import Evaluation
from keras_sam._step.finite import skips_overflow
from keras_sam._step.group_checks import check_masks
from keras_sam._step.objective import Objective
from keras_sam.methods import Now


def train_step(model, data, state):
    """One step of `model` on `data`. All of it is computed before any of it is written.

    Args:
        model: A built and compiled `keras.Model`.
        data: What `fit` passes: `x`, `(x, y)` or `(x, y, sample_weight)`.
        state: The model's `State`. Its metric `sharpness` is updated with
            L(w + eps) - L(w).

    Returns:
        Dict of scalars, the logs of Keras's own `train_step`.
    """
    x, y, sample_weight = data = keras.utils.unpack_x_y_sample_weight(data)
    objective, logs = objective_of(model), {}

    if objective.variables:
        step = _step(model, objective, data, state)
        kept = step.kept
        # Of what the model could be called on: before, its inputs may be missing.
        batch_size = keras_trainer.batch_size(x)
        if step.sharpness is not None:
            rise = keras_trainer.unscale_loss_for_distribution(step.sharpness)
            logs = _update(model, state.sharpness, rise, batch_size)
            measures = weighted(step.curvature)
            for metric, (value, part) in zip(state.curvature, measures):
                # A batch of which it is not known does not count.
                known = ops.isfinite(value)
                value = ops.where(known, value, ops.zeros_like(value))
                weight = part * ops.cast(batch_size, value.dtype)
                weight = ops.where(known, weight, ops.zeros_like(weight))
                logs |= _update(model, metric, value, weight)
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        draws = state.randomness.draws()
        kept = Evaluation(objective, data, draws, state.once)([])
        batch_size = keras_trainer.batch_size(x)

    with held_back():
        for variable, value in kept.updates:
            variable.assign(value)
        keras_trainer.update_loss(model, kept.loss, batch_size)
        if objective.variables:
            state.memory.assign(step.memory)
            _backend.apply(model.optimizer, step.gradients, objective.variables)
    metrics = functools.partial(
        model.compute_metrics, x, y, kept.y_pred, sample_weight=sample_weight
    )
    return logs | _backend.after_creating(metrics)


def objective_of(model):
    """That of a compiled model."""

    def loss(rows, in_groups, clean=None):
        x, y, sample_weight = rows
        y_pred = keras_trainer.predict(model, x)
        if in_groups:
            check_masks(keras.tree.map_structure(keras_trainer.mask, y_pred))
        loss = keras_trainer.compute_loss(model, x, y, sample_weight, y_pred)
        if clean is None:
            return loss, loss, y_pred
        at_w = predictions.at(clean, y_pred)
        return keras_trainer.compute_loss(model, x, y, sample_weight, at_w), loss, y_pred

    return Objective(
        keras_trainer.layers(model),
        model.trainable_weights,
        model.weights,
        model.loss,
        loss,
        lambda rows: keras_trainer.predict(model, rows[0]),
        functools.partial(keras_trainer.scale_loss, model),
        keras_trainer.gradient_scale(model),
        functools.partial(skips_overflow, model.optimizer),
    )


def _step(model, objective, data, state):
    """The pure step over the batch, or over its groups of m examples."""
    batch_size = keras_trainer.static_batch_size(data)
    replicas, shards = _backend.replicas(model), _backend.shards(model)
    batch = divided(data, state.settings.m, batch_size, state.largest, replicas, shards)
    state.largest = batch.largest
    state.build(model)
    memory, memories = state.memory.read(), state.memory.count
    optimizer = model.optimizer
    now = Now(
        state.radius(optimizer), state.time(optimizer), lambda: optimizer.learning_rate
    )
    training = Training(
        state.settings, state.perturbed, state.randomness, state.once, state.trunk
    )
    return step_on_batch(training, objective, now, batch, memory, memories)


def _update(model, measure, value, weight):
    """Returns the entry of the logs, which an overridden `compute_metrics` may lack."""
    measure.update_state(value, sample_weight=weight)
    # Where an overridden `metrics` leaves it out too, nothing resets it each epoch.
    tracked = any(metric is measure for metric in model.metrics)
    return {measure.name: measure.result() if tracked else value}

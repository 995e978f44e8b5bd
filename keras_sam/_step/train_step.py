"""Keras's `train_step(data)` around the pure step."""

import functools
import itertools
import warnings

import keras

from keras_sam import _backend
from keras_sam._backend import keras_trainer
from keras_sam._step.geometry import divide
from keras_sam._step.gradients import Gradients
from keras_sam._step.group_checks import check_groups, check_masks
from keras_sam._step.groups import step_over_groups
from keras_sam._step.rules import Rules
from keras_sam._step.step import Pass, sharpness_aware_step


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
    variables = model.trainable_weights
    logs = {}

    if variables:
        step = _step(model, data, variables, state)
        kept = step.kept
        # Of what the model could be called on: before, its inputs may be missing.
        batch_size = keras_trainer.batch_size(x)
        if step.sharpness is not None:
            rise = keras_trainer.unscale_loss_for_distribution(step.sharpness)
            logs = _update_sharpness(model, state.sharpness, rise, batch_size)
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        kept = _evaluation(model, data, variables, state, state.randomness.draws())([])
        batch_size = keras_trainer.batch_size(x)

    for variable, value in kept.updates:
        variable.assign(value)
    keras_trainer.update_loss(model, kept.loss, batch_size)
    if variables:
        state.memory.assign(step.memory)
        _backend.apply(model.optimizer, step.gradients, variables)
    with _backend.creating():
        metrics = model.compute_metrics(x, y, kept.y_pred, sample_weight=sample_weight)
    return logs | metrics


def _step(model, data, variables, state):
    """The pure step over the batch, or over its groups of m examples."""
    batch_size = keras_trainer.static_batch_size(data)
    replicas, shards = _backend.replicas(model), _backend.shards(model)
    largest = max(state.largest, (batch_size or 0) // shards)
    geometry = divide(state.settings.m, batch_size, largest, replicas, shards)
    state.largest = largest
    state.build(model)
    memory, memories = state.memory.read(), state.memory.count
    take_step = functools.partial(_take_step, model, variables, state, geometry)
    if geometry.group is None and memories == 1:
        return take_step(data, None, memory)
    check_groups(model, geometry, batch_size, memories)
    if replicas > shards and not largest:
        _backend.check_rows(data, geometry.group)
    return step_over_groups(
        take_step, data, geometry.group, model.weights, memory, memories
    )


def _take_step(model, variables, state, geometry, rows, given, memory):
    """The pure step on rows that share one perturbation.

    Args:
        model: The model.
        variables: List of the variables that are trained.
        state: The model's `State`.
        geometry: The `Geometry` of the batch.
        rows: Nested structure of tensors.
        given: List of `(variable, value)` to start from, or `None` outside of groups.
        memory: `Memory`.
    """

    def evaluation(rows, private=False):
        draws = state.randomness.draws(private)
        return _evaluation(model, rows, variables, state, draws, given)

    average = None
    if geometry.neighbours > geometry.shards:
        average = functools.partial(_backend.average, count=geometry.neighbours)
    gradients = Gradients(variables, keras_trainer.gradient_scale(model), average)
    rules = Rules(
        state.settings,
        state.radius(model.optimizer),
        state.time(model.optimizer),
        model.optimizer,
        variables,
        state.perturbed,
        gradients,
    )
    some = None
    fraction = state.settings.schedule.fraction
    if fraction < 1:
        some = evaluation(_backend.copied(_backend.head(rows, fraction)), private=True)
    weights = _backend.read(variables)
    return sharpness_aware_step(evaluation(rows), weights, rules, memory, given or [], some)


def _evaluation(model, data, variables, state, draws, given=None):
    """The callable from weights to a `Pass` over the batch.

    The first pass is given the batch itself, as in plain training, and may change it.
    """
    untouched = _backend.copied(data)
    batches = itertools.chain([data], map(_backend.copied, itertools.repeat(untouched)))

    def forward():
        x, y, sample_weight = next(batches)
        loss, y_pred = keras_trainer.compute_loss(model, x, y, sample_weight)
        if given is not None:
            check_masks(keras.tree.map_structure(keras_trainer.mask, y_pred))
        return keras_trainer.scale_loss(model, loss), (loss, y_pred)

    def predict():
        return keras_trainer.predict(model, next(batches)[0])

    def evaluate(weights, at=None):
        _, (loss, y_pred), gradients, updates = _backend.differentiate(
            model, forward, variables, weights, given or [], draws, at
        )
        state.once(
            variables,
            lambda: _backend.check_reach(model, predict, variables, gradients, draws),
        )
        return Pass(loss, y_pred, gradients, updates)

    return evaluate


def _update_sharpness(model, sharpness, rise, batch_size):
    """Returns the entry of the logs, which an overridden `compute_metrics` may lack."""
    sharpness.update_state(rise, sample_weight=batch_size)
    # Where an overridden `metrics` leaves it out too, nothing resets it each epoch.
    tracked = any(metric is sharpness for metric in model.metrics)
    return {sharpness.name: sharpness.result() if tracked else rise}

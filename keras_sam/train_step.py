"""Keras's `train_step(data)` around the pure step."""

import itertools
import warnings

import keras

from keras_sam import _backend
from keras_sam._backend import trainer
from keras_sam.finite import unless_infinite
from keras_sam.group_checks import check_groups, check_masks
from keras_sam.groups import step_over_groups
from keras_sam.parts import Parts
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
    x, y, sample_weight = data = keras.utils.unpack_x_y_sample_weight(data)
    variables = model.trainable_weights
    logs = {}

    if variables:
        settings.build(model)
        step = _step(model, data, variables, settings)
        shown = step.shown
        # Of what the model could be called on: before, its inputs may be missing.
        batch_size = trainer.batch_size(x)
        if step.sharpness is not None:
            rise = trainer.unscale_loss_for_distribution(step.sharpness)
            logs = _update_sharpness(model, settings.sharpness, rise, batch_size)
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        draws = settings.randomness.draws()
        shown = _evaluation(model, data, variables, settings, draws)([])
        batch_size = trainer.batch_size(x)

    for variable, value in shown.updates:
        variable.assign(value)
    trainer.update_loss(model, shown.loss, batch_size)
    if variables:
        _backend.apply(model.optimizer, step.gradients, variables)
    return logs | model.compute_metrics(x, y, shown.y_pred, sample_weight=sample_weight)


def _step(model, data, variables, settings):
    """The pure step over the batch, or over its groups of m examples."""
    replicas, shards = _backend.replicas(model), _backend.shards(model)
    batch_size = trainer.static_batch_size(data)
    local = batch_size and batch_size // shards
    neighbours = settings.m.neighbours(local, replicas)
    memory, fraction = settings.memory, settings.schedule.fraction

    def share(tensors):
        return _backend.average(tensors, neighbours)

    def take_step(data, state=None):
        grouped, state = state is not None, state or ()

        def evaluation(data, private=False):
            draws = settings.randomness.draws(private)
            return _evaluation(model, data, variables, settings, draws, state, grouped)

        weights, before = _backend.read(variables), memory.read(state)
        scale = trainer.gradient_scale(model)
        parts = Parts(
            settings,
            model.optimizer,
            variables,
            weights,
            before,
            scale,
            share if neighbours > shards else None,
        )
        some = None
        if fraction < 1:
            rows = _backend.copied(_backend.head(data, fraction))
            some = evaluation(rows, private=True)
        step = sharpness_aware_step(evaluation(data), weights, parts, some)
        updates = step.shown.updates
        if step.sharpness is None:
            updates = _finite(updates, state)
        updates = [*updates, *memory.updates(parts.memory)]
        return step._replace(shown=step.shown._replace(updates=updates))

    m = settings.m.examples or (local and local * neighbours)
    whole = batch_size is not None and batch_size <= m and not memory.several
    if m is None or neighbours > shards or whole:
        return take_step(data)
    check_groups(model, replicas)
    if replicas > shards and not settings.m.batch_size:
        _backend.check_rows(data, m)
    return step_over_groups(take_step, data, m, model.weights, memory.own)


def _evaluation(model, data, variables, settings, draws, state=(), grouped=False):
    """The callable from weights to a `Pass` over the batch.

    The first pass is given the batch itself, as in plain training, and may change it.
    """
    untouched = _backend.copied(data)
    batches = itertools.chain([data], map(_backend.copied, itertools.repeat(untouched)))

    def forward():
        x, y, sample_weight = next(batches)
        loss, y_pred = trainer.compute_loss(model, x, y, sample_weight)
        if grouped:
            check_masks(keras.tree.map_structure(trainer.mask, y_pred))
        return trainer.scale_loss(model, loss), (loss, y_pred)

    def predict():
        return trainer.predict(model, next(batches)[0])

    def evaluate(weights, at=None):
        _, (loss, y_pred), gradients, updates = _backend.differentiate(
            model, forward, variables, weights, state, draws, at
        )
        settings.once(
            variables,
            lambda: _backend.check_reach(model, predict, variables, gradients, draws),
        )
        return Pass(loss, y_pred, gradients, updates)

    return evaluate


def _finite(updates, state):
    """The state of a pass at w + eps, where nothing may stay infinite for good."""
    given = {id(variable): value for variable, value in state}
    return [
        (v, unless_infinite(value, given.get(id(v), v.value)))
        if isinstance(v, keras.Variable)
        else (v, value)
        for v, value in updates
    ]


def _update_sharpness(model, sharpness, rise, batch_size):
    """Returns the entry of the logs, which an overridden `compute_metrics` may lack."""
    sharpness.update_state(rise, sample_weight=batch_size)
    # Where an overridden `metrics` leaves it out too, nothing resets it each epoch.
    tracked = any(metric is sharpness for metric in model.metrics)
    return {sharpness.name: sharpness.result() if tracked else rise}

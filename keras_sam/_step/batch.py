"""The pure step on a batch: over all of it, or over its groups."""

import functools
import itertools
from typing import Any, NamedTuple

from keras_sam import _backend
from keras_sam._step.geometry import Geometry, divide
from keras_sam._step.gradients import Gradients
from keras_sam._step.group_checks import check_groups
from keras_sam._step.groups import step_over_groups
from keras_sam._step.once import Once
from keras_sam._step.step import Pass, sharpness_aware_step


class Batch(NamedTuple):
    """A batch, and how it is divided.

    Attributes:
        data: Nested structure of tensors.
        size: Integer, the number of examples in this call, or `None` if it is unknown.
        largest: Integer, the most examples that a replica has had, as `divide` asks for it.
        geometry: The `Geometry`.
    """

    data: Any
    size: int | None
    largest: int
    geometry: Geometry


class Passes(NamedTuple):
    """What the passes of one training have in common.

    Attributes:
        randomness: `_backend.Randomness()`.
        once: `Once`.
    """

    randomness: Any
    once: Once


def divided(data, m, size, largest, replicas, shards):
    """The `Batch` of these data, of which `largest` is that of the batches before."""
    largest = max(largest, (size or 0) // shards)
    return Batch(data, size, largest, divide(m, size, largest, replicas, shards))


def step_on_batch(objective, make_rules, batch, memory, memories, passes):
    """One sharpness-aware step.

    Args:
        objective: The `Objective`.
        make_rules: Callable from `Gradients` to the step's `Rules`.
        batch: The `Batch`.
        memory: The `Memory` before the step.
        memories: Integer, the number of replicas whose memories are in it.
        passes: `Passes`.

    Returns:
        A `Step`.
    """
    data, geometry = batch.data, batch.geometry
    take_step = functools.partial(_take_step, objective, make_rules, geometry, passes)
    if geometry.group is None and memories == 1:
        return take_step(data, None, memory)
    check_groups(objective, geometry, batch.size, memories)
    if geometry.replicas > geometry.shards and not batch.largest:
        _backend.check_rows(data, geometry.group)
    return step_over_groups(
        take_step, data, geometry.group, objective.owned, memory, memories
    )


def _take_step(objective, make_rules, geometry, passes, rows, given, memory):
    """The pure step on rows that share one perturbation.

    Args:
        rows: Nested structure of tensors.
        given: List of `(variable, value)` to start from, or `None` outside of groups.
        memory: `Memory`.
    """

    def evaluation_of(rows, private=False):
        draws = passes.randomness.draws(private)
        return evaluation(objective, rows, draws, passes.once, given)

    average = None
    if geometry.neighbours > geometry.shards:
        average = functools.partial(_backend.average, count=geometry.neighbours)
    rules = make_rules(Gradients(objective.variables, objective.scale, average))
    some, fraction = None, rules.schedule.fraction
    if fraction < 1:
        some = evaluation_of(_backend.copied(_backend.head(rows, fraction)), private=True)
    weights = _backend.read(objective.variables)
    return sharpness_aware_step(
        evaluation_of(rows), weights, rules, memory, given or [], some
    )


def evaluation(objective, data, draws, once, given=None):
    """The callable from weights to a `Pass` over the batch.

    The first pass is given the batch itself, as in plain training, and may change it.
    """
    untouched = _backend.copied(data)
    batches = itertools.chain([data], map(_backend.copied, itertools.repeat(untouched)))

    def forward():
        loss, y_pred = objective.loss(next(batches), in_groups=given is not None)
        return objective.scaled(loss), (loss, y_pred)

    def predict():
        return objective.predict(next(batches))

    def evaluate(weights, at=None):
        _, (loss, y_pred), gradients, updates = _backend.differentiate(
            objective.layers, forward, objective.variables, weights, given or [], draws, at
        )
        once(
            objective.variables,
            lambda: _backend.check_reach(
                objective.layers, predict, objective.variables, gradients, draws
            ),
        )
        return Pass(loss, y_pred, gradients, updates)

    return evaluate

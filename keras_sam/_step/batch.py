"""The pure step on a batch: over all of it, or over its groups."""

import functools
from typing import Any, NamedTuple

from keras_sam import _backend
from keras_sam._step.evaluation import Evaluation
from keras_sam._step.geometry import Geometry, divide
from keras_sam._step.gradients import Gradients
from keras_sam._step.group_checks import check_groups
from keras_sam._step.groups import step_over_groups
from keras_sam._step.method import MethodStep
from keras_sam._step.once import Once
from keras_sam._step.rules import Rules
from keras_sam._step.shared import Shared
from keras_sam._step.step import sharpness_aware_step
from keras_sam._step.trunk import Trunk


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


class Training(NamedTuple):
    """What the steps of one training have in common.

    Attributes:
        settings: The `Settings`.
        perturbed: List of the variables that the ascent perturbs.
        randomness: `_backend.Randomness()`.
        once: `Once`.
        trunk: The `Trunk`, or `None`.
    """

    settings: Any
    perturbed: list
    randomness: Any
    once: Once
    trunk: Trunk | None = None


def divided(data, m, size, largest, replicas, shards):
    """The `Batch` of these data, of which `largest` is that of the batches before."""
    largest = max(largest, (size or 0) // shards)
    return Batch(data, size, largest, divide(m, size, largest, replicas, shards))


def step_on_batch(training, objective, now, batch, memory, memories):
    """One sharpness-aware step.

    Args:
        training: `Training`.
        objective: The `Objective`.
        now: `Now`.
        batch: The `Batch`.
        memory: The `Memory` before the step.
        memories: Integer, the number of replicas whose memories are in it.

    Returns:
        A `Step`.
    """
    data, geometry = batch.data, batch.geometry
    take_step = functools.partial(_take_step, training, objective, now, geometry)
    if geometry.group is None and memories == 1:
        return take_step(data, None, memory)
    check_groups(objective, geometry, batch.size, memories)
    if geometry.replicas > geometry.shards and not batch.largest:
        _backend.check_rows(data, geometry.group)
    return step_over_groups(
        take_step, data, geometry.group, objective.owned, memory, memories
    )


def _take_step(training, objective, now, geometry, rows, given, memory):
    """The pure step on rows that share one perturbation.

    Args:
        rows: Nested structure of tensors.
        given: List of `(variable, value)` to start from, or `None` outside of groups.
        memory: `Memory`.
    """

    settings = training.settings

    def evaluation_of(change=None):
        """That of all rows, or of what becomes of them."""
        changed = rows if change is None else change(_backend.copied(rows))
        draws = training.randomness.draws(private=change is not None)
        return Evaluation(objective, changed, draws, training.once, given)

    average = None
    if geometry.neighbours > geometry.shards:
        average = functools.partial(_backend.average, count=geometry.neighbours)
    gradients = Gradients(objective.variables, objective.scale, average)
    weights = _backend.read(objective.variables)
    if settings.method is not None:
        take = MethodStep(settings.method, now, objective, gradients)
        return take(evaluation_of, weights, memory, given or [])
    rules = Rules(settings, now, objective, training.perturbed, gradients)
    some, fraction = None, settings.schedule.fraction
    if fraction < 1:
        some = evaluation_of(functools.partial(_backend.head, fraction=fraction))
    evaluate, given = evaluation_of(), given or []
    if rules.can_share(training.trunk):
        shared = Shared(training.trunk, evaluate)
        if shared.begin(weights, training.randomness.draws()):
            step = sharpness_aware_step(shared, weights, rules, memory, given)
            return step._replace(gradients=shared.complete(step.gradients))
    return sharpness_aware_step(evaluate, weights, rules, memory, given, some)

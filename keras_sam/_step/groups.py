"""m-sharpness: groups of m examples, each with a perturbation of its own."""

from typing import Any, NamedTuple

import keras

from keras_sam import _backend
from keras_sam._step.step import Step
from keras_sam.methods import Pass


class _Mean(NamedTuple):
    """What is the mean over all groups, by their examples.

    Attributes:
        loss: Scalar tensor.
        sharpness: List of that, empty where it is not known.
        curvature: List of scalar tensors, as `curvature_of` gives them.
        gradients: List of tensors, of the weights that have one.
        state: List of tensors, the floating-point state of the model.
    """

    loss: Any
    sharpness: list
    curvature: list
    gradients: list
    state: list


class _Carried(NamedTuple):
    """What goes from one group to the next: other state, and what is remembered of it."""

    state: list
    memory: list


def step_over_groups(take_step, data, m, owned, memory, memories):
    """One sharpness-aware step in which every m examples have their own perturbation.

        gradients = sum over groups i of n_i / n * (gradients of group i at w + eps_i)

    The groups are successive rows of the batch. Where m does not divide it, the last is
    short, and counts by its examples.

    Losses add up as gradients do, and so does the floating-point state of the model,
    moving averages above all: each group starts from the state before the step, and the
    state after it is the mean of theirs. So it is with what is remembered. Any other state
    goes from one group to the next: seeds, so that the groups draw different masks;
    counters; metrics.

    Args:
        take_step: Callable `(rows, state, memory) -> Step`. The rows are a group's part of
            `data`, and the state is a list of `(variable, value)` to start from.
        data: Nested structure of tensors that have the examples as their rows.
        m: Integer `> 0`. Number of examples in a group.
        owned: List of the model's variables, without its seeds and metrics.
        memory: The `Memory` before the step.
        memories: Integer, the number of replicas whose memories are in one call of the
            step. Above 1, its tensors have an axis of them.

    Returns:
        A `Step`, whose pass has no gradients.

    Raises:
        ValueError: if a tensor of `data` or a prediction does not have a row for each
            example, or if the groups do not assign the same variables.

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), section 4.1
    """
    _check_rows([t.shape for t in keras.tree.flatten(data) if t is not None])
    groups = _Groups(take_step, owned, memory)
    return groups.step(
        *_backend.fold(groups.take, groups.start, data, m, memory.per_replica, memories)
    )


class _Groups:
    """What the step of a group gives, sorted by what becomes of it."""

    def __init__(self, take_step, owned, memory):
        self.take_step = take_step
        self.owned = {id(variable) for variable in owned}
        self.memory = memory
        self.first = None

    def take(self, rows, carried, per_replica):
        """One group, in the form that `_backend.fold` asks for."""
        given, common = [], self.memory.common
        if carried is not None:
            given, common = list(zip(self.carried, carried.state)), carried.memory
        memory = self.memory.replaced(per_replica, common)
        step = self.take_step(rows, given, memory)
        self.first = step if carried is None else self.first
        self.check(step)
        _check_output([y.shape for y in keras.tree.flatten(step.kept.y_pred)])
        updates = step.kept.updates
        mean = _Mean(
            step.kept.loss,
            [] if step.sharpness is None else [step.sharpness],
            step.curvature,
            [_backend.dense(g) for g in step.gradients if g is not None],
            [value for v, value in updates if self.is_averaged(v)],
        )
        state = [value for v, value in updates if not self.is_averaged(v)]
        carried = _Carried(state, step.memory.common)
        return mean, carried, step.kept.y_pred, step.memory.per_replica

    def start(self):
        return _Carried(_backend.read(self.carried), self.memory.common)

    def step(self, mean, carried, y_pred, per_replica):
        """The `Step` over the whole batch."""
        gradients = iter(mean.gradients)
        updates = [*zip(self.averaged, mean.state), *zip(self.carried, carried.state)]
        return Step(
            Pass(mean.loss, y_pred, None, updates),
            None if self.first.sharpness is None else mean.sharpness[0],
            [None if g is None else next(gradients) for g in self.first.gradients],
            self.memory.replaced(per_replica, carried.memory),
            mean.curvature,
        )

    @property
    def averaged(self):
        return [v for v, _ in self.first.kept.updates if self.is_averaged(v)]

    @property
    def carried(self):
        return [v for v, _ in self.first.kept.updates if not self.is_averaged(v)]

    def is_averaged(self, variable):
        return id(variable) in self.owned and keras.backend.is_float_dtype(variable.dtype)

    def check(self, step):
        before, now = ([v.path for v, _ in s.kept.updates] for s in (self.first, step))
        if now != before:
            raise ValueError(
                "With `m`, each group of examples has to assign the same variables, in "
                f"the same order. Received: {before} in the first, and then {now}"
            )


def _check_rows(shapes):
    if not all(map(len, shapes)) or len({s[0] for s in shapes} - {None}) > 1:
        raise ValueError(
            "With `m`, each tensor of a batch has to have a row for each example. "
            f"Received: shapes={shapes}"
        )


def _check_output(shapes):
    if () in shapes:
        raise ValueError(
            "With `m`, each output of the model has to have a row for each example. "
            "Received: an output of shape ()"
        )

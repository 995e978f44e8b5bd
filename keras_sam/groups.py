"""m-sharpness: groups of m examples, each with a perturbation of its own."""

import keras
from keras import ops

from keras_sam import _backend
from keras_sam._backend import trainer
from keras_sam.step import Pass, Step


def step_over_groups(take_step, data, m, owned):
    """One sharpness-aware step in which every m examples have their own perturbation.

        gradients = sum over groups i of n_i / n * (gradients of group i at w + eps_i)

    The groups are successive rows of the batch. Where m does not divide it, the last is
    short, and counts by its examples.

    Losses add up as gradients do, and so does the floating-point state of the model,
    moving averages above all: each group starts from the state before the step, and the
    state after it is the mean of theirs. Any other state goes from one group to the next:
    seeds, so that the groups draw different masks; counters; metrics.

    Args:
        take_step: Callable `(rows, state) -> Step`. The rows are a group's part of `data`,
            and the state is a list of `(variable, value)` to start from.
        data: Nested structure of tensors that have the examples as their rows.
        m: Integer `> 0`. Number of examples in a group.
        owned: List of the model's variables, without its seeds and metrics.

    Returns:
        A `Step`, whose clean pass has no gradients.

    Raises:
        ValueError: if the groups do not assign the same variables.

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), section 4.1
    """
    n = trainer.batch_size(data)
    groups = _Groups(take_step, ops.minimum(m, n), owned)
    return groups.total(*_backend.fold(groups.step, data, m), n)


class _Groups:
    """The steps of all groups. A full group counts once, so that none has to be scaled."""

    def __init__(self, take_step, full, owned):
        self.take_step = take_step
        self.full = full
        self.owned = {id(variable) for variable in owned}
        self.first = None

    def step(self, rows, size, state):
        """The terms to be summed, the state for the next group, and the predictions."""
        given = [] if state is None else list(zip(self.variables(False), state))
        step = self.take_step(rows, given)
        updates = step.clean.updates
        terms = [step.clean.loss, step.sharpness]
        terms += [_backend.dense(g) for g in step.gradients if g is not None]
        terms += [value for v, value in updates if self.is_averaged(v)]
        if state is None:
            self.first = step
            terms = [_part(term, size, self.full) for term in terms]
        self.check(step)
        state = [value for v, value in updates if not self.is_averaged(v)]
        return terms, state, step.clean.y_pred

    def total(self, sums, state, y_pred, n):
        """The `Step` over the whole batch."""
        means = (_part(value, self.full, n) for value in sums)
        loss, sharpness = next(means), next(means)
        gradients = [None if g is None else next(means) for g in self.first.gradients]
        updates = list(zip(self.variables(True), means))
        updates += zip(self.variables(False), state)
        return Step(Pass(loss, y_pred, None, updates), sharpness, gradients)

    def variables(self, averaged):
        updates = self.first.clean.updates
        return [v for v, _ in updates if self.is_averaged(v) is averaged]

    def is_averaged(self, variable):
        return id(variable) in self.owned and keras.backend.is_float_dtype(variable.dtype)

    def check(self, step):
        before, now = ([v.path for v, _ in s.clean.updates] for s in (self.first, step))
        if now != before:
            raise ValueError(
                "With `m`, each group of examples has to assign the same variables, in "
                f"the same order. Received: {before} in the first, and then {now}"
            )


def _part(value, size, whole):
    """The value times size / whole, a quotient in float32 or better."""
    dtype = keras.backend.result_type(value.dtype, "float32")
    part = ops.cast(size, dtype) / ops.cast(whole, dtype)
    return value * ops.cast(part, value.dtype)

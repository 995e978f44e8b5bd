"""m-sharpness: groups of m examples, each with a perturbation of its own."""

import keras

from keras_sam import _backend
from keras_sam.step import Pass, Step


def step_over_groups(take_step, data, m, owned, own):
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
        own: List of the variables of which each replica has its own. They are the last of
            what each step updates.

    Returns:
        A `Step`, whose pass has no gradients.

    Raises:
        ValueError: if a tensor of `data` or a prediction does not have a row for each
            example, or if the groups do not assign the same variables.

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), section 4.1
    """
    _check_rows([t.shape for t in keras.tree.flatten(data) if t is not None])
    groups = _Groups(take_step, [*owned, *own])
    return groups.step(*_backend.fold(groups.part, groups.start, data, m, own))


class _Groups:
    """What the step of a group gives, sorted by what becomes of it."""

    def __init__(self, take_step, owned):
        self.take_step = take_step
        self.owned = {id(variable) for variable in owned}
        self.first = None

    def part(self, rows, state):
        """What is averaged, what the next group starts from, and the predictions."""
        given = [] if state is None else list(zip(self.variables(False), state))
        step = self.take_step(rows, given)
        self.first = step if state is None else self.first
        self.check(step)
        _check_output([y.shape for y in keras.tree.flatten(step.shown.y_pred)])
        updates = step.shown.updates
        terms = [step.shown.loss]
        terms += [] if step.sharpness is None else [step.sharpness]
        terms += [_backend.dense(g) for g in step.gradients if g is not None]
        terms += [value for v, value in updates if self.is_averaged(v)]
        state = [value for v, value in updates if not self.is_averaged(v)]
        return terms, state, step.shown.y_pred

    def start(self):
        return _backend.read(self.variables(False))

    def step(self, means, state, y_pred):
        """The `Step` over the whole batch."""
        means = iter(means)
        loss = next(means)
        sharpness = None if self.first.sharpness is None else next(means)
        gradients = [None if g is None else next(means) for g in self.first.gradients]
        updates = list(zip(self.variables(True), means))
        updates += zip(self.variables(False), state)
        return Step(Pass(loss, y_pred, None, updates), sharpness, gradients)

    def variables(self, averaged):
        updates = self.first.shown.updates
        return [v for v, _ in updates if self.is_averaged(v) is averaged]

    def is_averaged(self, variable):
        return id(variable) in self.owned and keras.backend.is_float_dtype(variable.dtype)

    def check(self, step):
        before, now = ([v.path for v, _ in s.shown.updates] for s in (self.first, step))
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

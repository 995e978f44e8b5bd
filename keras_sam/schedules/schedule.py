"""On which steps to climb, and on how much data."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_sam.described import described
from keras_sam.validation import count, number


class Time(NamedTuple):
    """When a step is: scalar integer tensors, both from 0 on.

    Attributes:
        iteration: The number of the optimizer's steps before this one.
        epoch: The number of `fit`'s epoch.
    """

    iteration: Any
    epoch: Any


@keras.saving.register_keras_serializable("keras_sam")
class Schedule:
    """Base class of the schedules; by itself, climbs on every step.

    A variant overrides `climbs`. One that remembers gives the tensors to begin with in
    `init`. What it remembers is saved and resumed with the model, per replica.

    A step that does not climb is a plain step, and costs one pass.

    Attributes:
        needs_gradient: Bool. Whether the decision, or the gradient of a step that does
            not climb, depends on the gradient at w.
        reuses: Bool. Whether the optimizer gets, on a step that does not climb, another
            gradient than that at w.
        fraction: Float in `(0, 1]`. On how much of the batch the ascent takes its gradient.

    Example:

    >>> class Odd(keras_sam.schedules.Schedule):
    ...     def climbs(self, time, gradients, memory):
    ...         return time.iteration % 2 == 1, memory
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=Odd())
    """

    needs_gradient = False
    reuses = False
    fraction = 1.0

    def init(self, weights):
        """What to remember at first: a list of tensors."""
        return []

    def climbs(self, time, gradients, memory):
        """Whether this step climbs.

        Args:
            time: A `Time`.
            gradients: List of tensors, the gradient at w; `None` if it is not needed.
            memory: List of tensors.

        Returns:
            A bool or scalar bool tensor, and the new memory.
        """
        return True, memory

    def climbed(self, gradients, perturbed, memory):
        """What to remember after a step that has climbed."""
        return memory

    def stay(self, gradients, memory):
        """The gradient that the optimizer gets on a step that does not climb."""
        return gradients

    __repr__ = described

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))


@keras.saving.register_keras_serializable("keras_sam")
class Between(Schedule):
    """Climbs from one step or epoch on, and up to another: late, or only at first.

    Args:
        start: Integer `>= 0`. The first step or epoch that climbs. Defaults to `0`.
        end: Integer, the first that does not climb any more, or `None` for never.
            Defaults to `None`.
        unit: `"steps"`, of the optimizer, or `"epochs"`, of `fit` (elsewhere it is always
            epoch 0). Defaults to `"steps"`.

    Raises:
        ValueError: if an argument is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> late = keras_sam.schedules.Between(start=175, unit="epochs")
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=late)

    Reference:
        - [Zhou et al., 2024](https://arxiv.org/abs/2410.10373), for the last epochs
    """

    def __init__(self, start: int = 0, end: int | None = None, unit: str = "steps"):
        self.start = count("start", start, 0)
        self.end = end if end is None else count("end", end, self.start)
        if unit not in ("steps", "epochs"):
            raise ValueError(f'`unit` must be "steps" or "epochs". Received: unit={unit}')
        self.unit = unit

    def climbs(self, time, gradients, memory):
        now = time.epoch if self.unit == "epochs" else time.iteration
        if self.end is None:
            return now >= self.start, memory
        return ops.logical_and(now >= self.start, now < self.end), memory

    def get_config(self):
        return {"start": self.start, "end": self.end, "unit": self.unit}


@keras.saving.register_keras_serializable("keras_sam")
class Fraction(Schedule):
    """Climbs on every step, by the gradient of a fraction of the batch.

    The gradient of a quarter of the examples costs a quarter of a pass. The only pass on
    the whole batch is that at w + eps: loss, metrics and batch-norm statistics are of
    there, and the logs have no `sharpness`. The fraction is the batch's first rows: in
    a shuffled batch, a random sample.

    Args:
        fraction: Float in `(0, 1]`. Defaults to `0.25`.

    Raises:
        ValueError: if `fraction` is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> quarter = keras_sam.schedules.Fraction(0.25)
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=quarter)

    Reference:
        - [Bahri et al., 2021](https://arxiv.org/abs/2110.08529)
    """

    def __init__(self, fraction: float = 0.25):
        self.fraction = number("fraction", fraction, 0, 1)
        if self.fraction == 0:
            raise ValueError(f"`fraction` must be above 0. Received: fraction={fraction}")

    def get_config(self):
        return {"fraction": self.fraction}

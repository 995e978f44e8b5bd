"""On which steps to climb, on how many examples, and what happens in between."""

from typing import Any, ClassVar, NamedTuple

import keras

from keras_sam.described import described
from keras_sam.validation import number


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

    A schedule answers three questions. When to climb: a variant overrides `climbs`. On how
    many examples: by `fraction`. And what happens in between: a step that does not climb
    is a plain step, or with `reuse` LookSAM's. So they go together in any way.

    With `fraction`, the perturbation is along the gradient of the first rows of the batch:
    in a shuffled batch, of a random sample. The only pass over the whole batch is that at
    w + eps: loss, metrics and batch-norm statistics are of there, and the logs have no
    `sharpness`. The pass over the fraction runs on the steps that climb; on the others too
    where the decision needs a gradient, which is then the fraction's, or where the ascent
    remembers something.

    With `reuse`, a step that climbs keeps what is orthogonal to g of the gradient s at
    w + eps, and the steps after it add as much of it to theirs:

        v = s - <s, g> g / ||g||_2^2
        g + reuse * ||g||_2 / ||v||_2 * v

    With a fraction, g is the fraction's gradient in the first line, and that of the whole
    batch in the second, as s is. Before the first step that climbs, v is zero. It is kept
    per replica, in the memory of one more copy of the weights.

    A variant that remembers gives the tensors to begin with in `init`. What it remembers is
    saved and resumed with the model: floating tensors per replica, and with groups of m
    examples as their mean; integers in common, and from one group to the next.

    Args:
        fraction: Float in `(0, 1]`. The part of the examples that gives the perturbation.
            Defaults to `1.0`.
        reuse: Float `>= 0`, LookSAM's alpha, or `None` for plain steps in between.
            Defaults to `None`.

    Attributes:
        needs_gradient: Bool. Whether the decision, or the gradient of a step that does
            not climb, depends on the gradient at w.
        reuses: Bool. Whether the optimizer gets, on a step that does not climb, another
            gradient than that at w, or `climbed` or `stayed` remembers something.

    Raises:
        ValueError: if an argument is not of this form.

    Example: (the second climbs at random, as SS-SAM does. Each group draws for itself. So
    does each replica on JAX; on TensorFlow they draw alike.)

    >>> class Odd(keras_sam.schedules.Schedule):
    ...     def climbs(self, time, gradients, memory):
    ...         return time.iteration % 2 == 1, memory
    >>> class Sometimes(keras_sam.schedules.Schedule):
    ...     def __init__(self, probability, seed=0, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.probability, self.seed = probability, seed
    ...         self.generator = keras.random.SeedGenerator(seed)
    ...
    ...     def init(self, weights):
    ...         return [self.generator.state.value + 0]
    ...
    ...     def climbs(self, time, gradients, memory):
    ...         (seed,) = memory
    ...         with keras.StatelessScope([(self.generator.state, seed)]):
    ...             number = keras.random.uniform((), seed=self.generator)
    ...         step = keras.ops.convert_to_tensor([0, 1], seed.dtype)
    ...         return number < self.probability, [seed + step]
    ...
    ...     def get_config(self):
    ...         own = {"probability": self.probability, "seed": self.seed}
    ...         return own | super().get_config()
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> quarter = Sometimes(0.5, fraction=0.25)
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=quarter)

    Reference:
        - [Bahri et al., 2021](https://arxiv.org/abs/2110.08529), for a fraction
        - [Liu et al., 2022](https://arxiv.org/abs/2203.02714), for the reuse
        - [Zhao et al., 2022](https://arxiv.org/abs/2203.09962), for steps at random
    """

    needs_gradient = False
    reuses = False
    fraction = 1.0
    reuse = None
    _given: ClassVar = {}  # Of a subclass whose `__init__` does not call this one.

    def __init__(self, fraction: float = 1.0, reuse: float | None = None):
        self.fraction = number("fraction", fraction, 0, 1)
        if self.fraction == 0:
            raise ValueError(f"`fraction` must be above 0. Received: fraction={fraction}")
        self.reuse = reuse if reuse is None else number("reuse", reuse, 0)
        if reuse is not None:
            self.reuses = True
        given = {"fraction": self.fraction, "reuse": self.reuse}
        self._given = {k: v for k, v in given.items() if v != getattr(Schedule, k)}

    def init(self, weights):
        """What to remember at first: a list of tensors."""
        return []

    def climbs(self, time, gradients, memory):
        """Whether this step climbs.

        Args:
            time: A `Time`.
            gradients: List of tensors, the gradient at w, or the fraction's; `None` if
                it is not needed.
            memory: List of tensors.

        Returns:
            A bool or scalar bool tensor, and the new memory.
        """
        return True, memory

    def climbed(self, gradients, perturbed, memory):
        """What to remember after a step that has climbed."""
        return memory

    def stayed(self, gradients, memory):
        """What to remember after one that has not. The gradients are those at w."""
        return memory

    def stay(self, gradients, memory):
        """The gradient that the optimizer gets on a step that does not climb.

        What is reused is added to it.
        """
        return gradients

    __repr__ = described

    def get_config(self):
        """The arguments of this class that are no defaults: a variant may not take them."""
        return dict(self._given)

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))

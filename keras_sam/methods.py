"""A step of one's own, where ascent, descent and schedule cannot say it."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from keras_sam.described import described
from keras_sam.schedules.schedule import Time

__all__ = ["Method", "Now", "Pass"]


def __dir__():
    return __all__


class Pass(NamedTuple):
    """What one pass over the batch gives, nothing of it written yet.

    Attributes:
        loss: Scalar tensor, as the model computes it.
        y_pred: The model's predictions.
        gradients: List of tensors.
        updates: List of `(variable, value)`, the state that the pass would move.
    """

    loss: Any
    y_pred: Any
    gradients: list
    updates: list


class Now:
    """When a step is, and how far it goes.

    Attributes:
        rho: Scalar tensor, the radius.
        time: Named tuple of two scalar integer tensors, `iteration` and `epoch`.
    """

    def __init__(self, rho: Any, time: Time, learning_rate: Callable):
        self.rho, self.time = rho, time
        self._learning_rate = learning_rate

    @property
    def learning_rate(self):
        """Scalar tensor, the optimizer's."""
        return self._learning_rate()


@keras.saving.register_keras_serializable("keras_sam")
class Method(abc.ABC):
    """One whole step: from the weights to the gradients for the optimizer.

    For a rule that ascent, descent and schedule cannot say: several perturbed passes,
    passes on a part of the examples, points that are remembered. It takes the place of
    all three. A variant defines `__call__`. One that remembers gives the tensors to begin
    with in `init`. What it remembers is saved and resumed with the model, and is kept per
    replica.

    It sees plain values, and so works in groups of m examples, on replicas, compiled and
    in mixed precision: the weights are those that are trained; gradients are those of the
    loss itself, dense, without loss scaling, and where replicas share a perturbation the
    mean of theirs. It assigns nothing itself. Where an entry of what it gives is not
    finite, the optimizer gets that of the kept pass. The logs have no `sharpness`.

    Example:

    >>> class USAM(keras_sam.methods.Method):
    ...     def __call__(self, evaluate, weights, memory, now):
    ...         clean = evaluate(weights)
    ...         there = [w + now.rho * g for w, g in zip(weights, clean.gradients)]
    ...         return clean, evaluate(there).gradients, memory
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> model = keras_sam.SAMModel(inputs, outputs, rho=0.05, method=USAM())

    Reference:
        - [Andriushchenko and Flammarion, 2022](https://arxiv.org/abs/2206.06232), whose
          section 3 has the rule of the example
    """

    def init(self, weights):
        """What to remember at first: a list of tensors."""
        return []

    @abc.abstractmethod
    def __call__(self, evaluate, weights, memory, now):
        """One step.

        Args:
            evaluate: Callable `(weights, rows=None, at=None, ascent_pass=False) -> Pass`, a
                pass at these weights. All passes of a step start from the same state and
                see the same dropout masks.

                - `rows`: Callable from the batch to the one to evaluate on: from
                  `(x, y, sample_weight)`, with `None` for what `fit` was not given, to the
                  same; in a loop of one's own from the arguments of `fn` to the same.
                - `at`: Callable from weights to weights. With it the loss is that at
                  `at(weights)`, and the gradients go back through it.
                - `ascent_pass`: Bool, what `keras_sam.in_ascent_pass` says in this pass.
            weights: List of tensors, w.
            memory: List of tensors, as the step before gave it.
            now: `Now`, with the radius `rho`, the `learning_rate` and the `time`.

        Returns:
            A tuple of the kept `Pass`, the gradients for the optimizer and the new memory.
            The loss, the predictions, batch-norm statistics and other state that the step
            shows and keeps are of the kept pass, which has to be one over the whole batch.
        """

    __repr__ = described

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

"""Ascents by gradients of earlier steps: one gradient a step, as in plain training."""

import keras
from keras import ops

from keras_sam.ascents.ascent import Ascent
from keras_sam.ascents.selection import Variables
from keras_sam.validation import number


class _Past(Ascent):
    needs_gradient = False

    def init(self, weights):
        return [ops.zeros_like(w) for w in weights]


@keras.saving.register_keras_serializable("keras_sam")
class LastStep(_Past):
    """Along the gradient that the step before has found, at its perturbed weights.

        eps_t = rho * g_(t-1) / ||g_(t-1)||_2

    Its cost is that of plain training. The only pass is that at w + eps: loss, metrics
    and batch-norm statistics are of there, and the logs have no `sharpness`. The first
    step is a plain one. The gradient is kept per replica.

    Args:
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> model = keras_sam.SAMModel(inputs, outputs, ascent=keras_sam.ascents.LastStep())

    Reference:
        - [AsyncSAM, 2025](https://arxiv.org/abs/2503.11147)
    """

    def remember(self, gradients, memory):
        return gradients

    def direction(self, gradients, memory):
        return memory


@keras.saving.register_keras_serializable("keras_sam")
class Momentum(_Past):
    """Momentum SAM: along the steps that the optimizer's momentum has taken.

        eps = -rho * v / ||v||_2
        v  <- momentum * v + g,  g the gradient at w + eps

    Its cost is that of plain training. The only pass is that at w + eps: loss, metrics
    and batch-norm statistics are of there, and the logs have no `sharpness`. The first
    step is a plain one. The ascent has a buffer of its own, so that it goes with every
    optimizer, and is kept per replica.

    Args:
        momentum: Float in `[0, 1]`. Defaults to `0.9`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Raises:
        ValueError: if `momentum` is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> ascent = keras_sam.ascents.Momentum(momentum=0.9)
    >>> model = keras_sam.SAMModel(inputs, outputs, ascent=ascent)

    Reference:
        - [Becker et al., 2024](https://arxiv.org/abs/2401.12033)
    """

    def __init__(self, momentum: float = 0.9, variables: Variables | None = None):
        super().__init__(variables)
        self.momentum = number("momentum", momentum, 0, 1)

    def remember(self, gradients, memory):
        return [self.momentum * v + g for v, g in zip(memory, gradients)]

    def direction(self, gradients, memory):
        return [-v for v in memory]

    def get_config(self):
        return {"momentum": self.momentum, **super().get_config()}

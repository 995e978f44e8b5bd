"""Descents that combine the two gradients."""

import keras
from keras import ops

from keras_sam.descents.descent import Descent
from keras_sam.norms import dot, norm, unit
from keras_sam.validation import number


@keras.saving.register_keras_serializable("keras_sam")
class GSAM(Descent):
    """Surrogate gap guided sharpness-aware minimization.

        s - alpha * (g - <g, s> s / ||s||_2^2)

    What of g is orthogonal to s is descended in reverse: it lowers the loss at w + eps no
    further, and to go up it narrows the gap between the two losses. Take it with a rho tied
    to the learning rate, `keras_sam.schedules.RhoByLearningRate`, as the paper does.

    Args:
        alpha: Float. Defaults to `0.4`.

    Raises:
        ValueError: if `alpha` is not a finite number.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> descent = keras_sam.descents.GSAM(alpha=0.4)
    >>> model = keras_sam.SAMModel(inputs, outputs, descent=descent)

    Reference:
        - [Zhuang et al., 2022](https://arxiv.org/abs/2203.08065)
    """

    def __init__(self, alpha: float = 0.4):
        self.alpha = number("alpha", alpha)

    def __call__(self, gradients, perturbed):
        rest = orthogonal(gradients, perturbed)
        return [s - ops.cast(self.alpha * r, s.dtype) for s, r in zip(perturbed, rest)]

    def get_config(self):
        return {"alpha": self.alpha}


@keras.saving.register_keras_serializable("keras_sam")
class Weighted(Descent):
    """Weighted sharpness-aware minimization (WSAM), in its coupled form.

        (1 - a) * g + a * s,  a = gamma / (1 - gamma)

    The sharpness is a regularizer of weight a: `gamma=0` is plain training, `gamma=0.5`
    sharpness-aware minimization, and above that sharpness counts for more.

    Args:
        gamma: Float in `[0, 1)`. Defaults to `0.9`.

    Raises:
        ValueError: if `gamma` is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> descent = keras_sam.descents.Weighted(gamma=0.9)
    >>> model = keras_sam.SAMModel(inputs, outputs, descent=descent)

    Reference:
        - [Yue et al., 2023](https://arxiv.org/abs/2305.15817)
    """

    def __init__(self, gamma: float = 0.9):
        self.gamma = number("gamma", gamma, 0, 1)
        if self.gamma == 1:
            raise ValueError(f"`gamma` must be below 1. Received: gamma={gamma}")

    def __call__(self, gradients, perturbed):
        a = self.gamma / (1 - self.gamma)
        return [(1 - a) * g + a * s for g, s in zip(gradients, perturbed)]

    def get_config(self):
        return {"gamma": self.gamma}


@keras.saving.register_keras_serializable("keras_sam")
class Stable(Descent):
    """The direction of the gradient at w + eps, and the length of that at w (StableSAM).

        s * ||g||_2 / ||s||_2

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> descent = keras_sam.descents.Stable()
    >>> model = keras_sam.SAMModel(inputs, outputs, descent=descent)

    Reference:
        - [StableSAM, 2024](https://arxiv.org/abs/2401.07250)
    """

    def __call__(self, gradients, perturbed):
        length = norm(gradients)
        directions = zip(unit(perturbed), perturbed)
        return [ops.cast(length * d, s.dtype) for d, s in directions]


def orthogonal(vector, axis):
    """What is left of a vector without its projection on another, tensor by tensor."""
    units = unit(axis)
    along = dot(vector, units)
    return [v - ops.cast(along * u, v.dtype) for v, u in zip(vector, units)]

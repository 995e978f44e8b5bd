"""Ascents by an average of the gradients so far, or by what is new against it."""

import keras
from keras import ops

from keras_sam.ascents.ascent import Ascent
from keras_sam.ascents.selection import Variables
from keras_sam.validation import number


class _Average(Ascent):
    """Remembers `(1 - weight) * average + weight * g`."""

    def init(self, weights):
        return [ops.zeros_like(w) for w in weights]

    def remember(self, gradients, memory):
        keep = 1 - self.weight
        return [keep * m + self.weight * g for m, g in zip(memory, gradients)]


@keras.saving.register_keras_serializable("keras_sam")
class Friendly(_Average):
    """Friendly SAM: along the part of the gradient specific to this batch.

        m   = lambda * m + (1 - lambda) * g
        d   = g - sigma * m
        eps = rho * d / ||d||_2

    The average is of the raw gradients, and that of this step is in it, as in the paper (in
    its official code it is not). It is kept per replica, in the memory of one more
    copy of the weights.

    Args:
        sigma: Float. How much of the average to take out. Defaults to `1`.
        lambda_: Float in `[0, 1]`. How much of the average to keep. Defaults to `0.9`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Raises:
        ValueError: if `sigma` or `lambda_` is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> ascent = keras_sam.ascents.Friendly(sigma=1, lambda_=0.9)
    >>> model = keras_sam.SAMModel(inputs, outputs, ascent=ascent)

    Reference:
        - [Li et al., 2024](https://arxiv.org/abs/2403.12350)
    """

    def __init__(
        self, sigma: float = 1, lambda_: float = 0.9, variables: Variables | None = None
    ):
        super().__init__(variables)
        self.sigma = number("sigma", sigma)
        self.lambda_ = number("lambda_", lambda_, 0, 1)
        self.weight = 1 - self.lambda_

    def direction(self, gradients, memory):
        return [g - self.sigma * m for g, m in zip(gradients, memory)]

    def get_config(self):
        return {"sigma": self.sigma, "lambda_": self.lambda_, **super().get_config()}


@keras.saving.register_keras_serializable("keras_sam")
class Averaged(_Average):
    """VaSSO: along an average of the gradients, which varies less than they do.

        d   = (1 - theta) * d + theta * g
        eps = rho * d / ||d||_2

    It is kept per replica, in the memory of one more copy of the weights.

    Args:
        theta: Float in `[0, 1]`. Weight of this step's gradient. Defaults to `0.4`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Raises:
        ValueError: if `theta` is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> ascent = keras_sam.ascents.Averaged(theta=0.4)
    >>> model = keras_sam.SAMModel(inputs, outputs, ascent=ascent)

    Reference:
        - [Li and Giannakis, 2023](https://arxiv.org/abs/2309.15639)
    """

    def __init__(self, theta: float = 0.4, variables: Variables | None = None):
        super().__init__(variables)
        self.theta = self.weight = number("theta", theta, 0, 1)

    def direction(self, gradients, memory):
        return memory

    def get_config(self):
        return {"theta": self.theta, **super().get_config()}

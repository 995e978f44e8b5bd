"""Preconditioned SAM: a ball whose size follows the gradients of each weight."""

import keras
from keras import ops

from keras_sam.ascents.metric import Metric
from keras_sam.ascents.selection import Variables
from keras_sam.norms import accurate
from keras_sam.validation import number


@keras.saving.register_keras_serializable("keras_sam")
class Preconditioned(Metric):
    """Perturbs in the metric of Adam: further where gradients are small.

        v     = beta * v + (1 - beta) * g^2
        v_hat = v / (1 - beta^t) after t steps
        eps   = rho * T^2 g / ||T g||_2,  T^2 = 1 / (sqrt(v_hat) + epsilon)

    T^2 g is the step of Adam without momentum, or of RMSprop. The ascent has an average of
    its own, so that it goes with every optimizer. This step's gradient is in it. With
    groups of m examples it is the mean of their squares. It is kept per replica, in the
    memory of one more copy of the weights.

    The paper says along which direction to perturb, and takes the optimizer's own v. The
    norm of the ball that has this direction as its steepest is a choice of ours.

    Args:
        beta: Float in `[0, 1)`. How much of the average to keep. Defaults to `0.999`.
        epsilon: Float above 0, in units of the gradient. Bounds the perturbation of
            weights whose gradients are small. Defaults to `1e-8`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Raises:
        ValueError: if `beta` or `epsilon` is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> ascent = keras_sam.ascents.Preconditioned(beta=0.95)
    >>> model = keras_sam.SAMModel(inputs, outputs, ascent=ascent)

    Reference:
        - [Singh et al., 2025](https://arxiv.org/abs/2502.02407)
    """

    def __init__(
        self,
        beta: float = 0.999,
        epsilon: float = 1e-8,
        variables: Variables | None = None,
    ):
        super().__init__(variables)
        self.beta = number("beta", beta, 0, 1)
        if self.beta == 1:
            raise ValueError(f"`beta` must be below 1. Received: beta={beta}")
        self.epsilon = number("epsilon", epsilon, 0)
        if self.epsilon == 0:
            raise ValueError(f"`epsilon` must be above 0. Received: epsilon={epsilon}")

    def init(self, weights):
        """v of each weight, and the average of ones, which is 1 - beta^t.

        A count of the steps would be an integer, and go on from one group to the next.
        """
        dtype = accurate(weights)
        return [ops.zeros(w.shape, dtype) for w in weights] + [ops.zeros((), dtype)]

    def remember(self, gradients, memory):
        *averages, ones = memory
        squares = [ops.square(ops.cast(g, ones.dtype)) for g in gradients]
        squares.append(ops.ones_like(ones))
        pairs = zip([*averages, ones], squares)
        return [self.beta * v + (1 - self.beta) * square for v, square in pairs]

    def scale(self, weights, memory):
        *averages, ones = memory
        return [
            ops.cast(1 / ops.sqrt(_root(v / ones) + self.epsilon), w.dtype)
            for v, w in zip(averages, weights)
        ]

    def get_config(self):
        config = super().get_config()
        return {"beta": self.beta, "epsilon": self.epsilon, **config}


def _root(v):
    """The root, whose derivative second order asks for, and which has none at 0."""
    zero = v == 0
    root = ops.sqrt(ops.where(zero, ops.ones_like(v), v))
    return ops.where(zero, ops.zeros_like(v), root)

"""Climbing where the gradient is large compared with recent steps."""

import keras
from keras import ops

from keras_sam.norms import accurate, norm
from keras_sam.schedules.schedule import Schedule
from keras_sam.validation import number


@keras.saving.register_keras_serializable("keras_sam", name="AdaptiveSchedule")
class Adaptive(Schedule):
    """Climbs where the squared norm of the gradient is large among the last ones (AE-SAM).

        mean     = decay * mean + (1 - decay) * ||g||^2
        variance = decay * variance + (1 - decay) * (||g||^2 - mean)^2
        climbs where ||g||^2 >= mean + c * sqrt(variance)

    Each replica decides for itself. With `fraction`, g is the fraction's gradient, which is
    taken on each step.

    Args:
        c: Float. The lower, the more steps climb. Defaults to `0`.
        decay: Float in `[0, 1]`. Defaults to `0.9`.
        fraction: Float in `(0, 1]`. The part of the examples that gives the perturbation.
            Defaults to `1.0`.
        reuse: Float `>= 0`, with which LookSAM's steps are in between, or `None` for plain
            ones. Defaults to `None`.

    Raises:
        ValueError: if an argument is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> schedule = keras_sam.schedules.Adaptive(c=0.5, fraction=0.25)
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=schedule)

    Reference:
        - [Jiang et al., 2023](https://arxiv.org/abs/2304.14647)
    """

    needs_gradient = True

    def __init__(
        self,
        c: float = 0,
        decay: float = 0.9,
        *,
        fraction: float = 1.0,
        reuse: float | None = None,
    ):
        super().__init__(fraction, reuse)
        self.c = number("c", c)
        self.decay = number("decay", decay, 0, 1)

    def init(self, weights):
        dtype = accurate(weights)
        return [ops.zeros((), dtype), ops.zeros((), dtype)]

    def climbs(self, time, gradients, memory):
        mean, variance = memory
        square = ops.cast(norm(gradients), mean.dtype) ** 2
        mean = self.decay * mean + (1 - self.decay) * square
        variance = self.decay * variance + (1 - self.decay) * (square - mean) ** 2
        return square >= mean + self.c * ops.sqrt(variance), [mean, variance]

    def get_config(self):
        return {"c": self.c, "decay": self.decay} | super().get_config()

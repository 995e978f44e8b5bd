"""rho over time."""

from collections.abc import Callable

import keras
from keras import ops

from keras_sam.described import described
from keras_sam.validation import number


@keras.saving.register_keras_serializable("keras_sam")
class RhoByLearningRate:
    """A rho that follows the optimizer's learning rate, as in GSAM.

        rho_min + (rho_max - rho_min) * (lr - lr_min) / (lr_max - lr_min)

    It follows whatever sets the learning rate: a schedule, a callback, an assignment.

    Args:
        rho_min: Float `>= 0`. The radius at the learning rate `lr_min`.
        rho_max: Float `>= 0`. The radius at the learning rate `lr_max`.
        lr_max: Float. The largest learning rate.
        lr_min: Float below `lr_max`. The smallest. Defaults to `0`.

    Raises:
        ValueError: if an argument is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> rho = keras_sam.schedules.RhoByLearningRate(0.02, 0.1, lr_max=0.1)
    >>> model = keras_sam.SAMModel(inputs, outputs, rho=rho)

    Reference:
        - [Zhuang et al., 2022](https://arxiv.org/abs/2203.08065)
    """

    def __init__(self, rho_min: float, rho_max: float, lr_max: float, lr_min: float = 0):
        self.rho_min = number("rho_min", rho_min, 0)
        self.rho_max = number("rho_max", rho_max, 0)
        self.lr_max = number("lr_max", lr_max)
        self.lr_min = number("lr_min", lr_min)
        if not self.lr_min < self.lr_max:
            raise ValueError(
                "`lr_min` must be below `lr_max`. "
                f"Received: lr_min={lr_min}, lr_max={lr_max}"
            )

    def __call__(self, learning_rate):
        """The radius at a learning rate, a scalar of its dtype."""
        ratio = (learning_rate - self.lr_min) / (self.lr_max - self.lr_min)
        rho = self.rho_min + (self.rho_max - self.rho_min) * ratio
        # Below `lr_min`, in a warm-up.
        return ops.where(rho < 0, ops.zeros_like(rho), rho)

    __repr__ = described

    def get_config(self):
        return dict(vars(self))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


Schedule = keras.optimizers.schedules.LearningRateSchedule
Radius = float | Schedule | RhoByLearningRate | Callable[[], float]
SCHEDULES = (keras.optimizers.schedules.LearningRateSchedule, RhoByLearningRate)

"""rho over time."""

import inspect
import math
from collections.abc import Callable

import keras
import ml_dtypes
from keras import ops

from keras_sam.described import described
from keras_sam.validation import as_float, is_real, number


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
        part = (learning_rate - self.lr_min) / (self.lr_max - self.lr_min)
        rho = self.rho_min + (self.rho_max - self.rho_min) * part
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


class Rho:
    """The radius, as the user sets it and as a compiled step reads it.

    A number is held in a variable, so that setting it reaches a step that is already
    compiled. A schedule is a function of the optimizer's iterations or learning rate. A
    callable has no arguments, as one for the learning rate of Keras's optimizers: a
    compiled step calls it once, when it is compiled.

    Args:
        value: Float `>= 0`, a `keras.optimizers.schedules.LearningRateSchedule`, a
            `RhoByLearningRate`, or a callable.

    Raises:
        ValueError: if `value` is neither, or is negative, infinite or NaN, or is not 0
            and would be that or infinite in Keras's `floatx`.
    """

    def __init__(self, value):
        self.value = _validated(value)
        self.variable = None
        if not self.scheduled:
            self.variable = keras.Variable(
                self.value, dtype=keras.config.floatx(), trainable=False, name="rho"
            )

    @property
    def scheduled(self):
        return not isinstance(self.value, float)

    @property
    def is_zero(self):
        return not self.scheduled and self.value == 0

    def set(self, value):
        """Sets a number in place of a number. Returns whether that could be done."""
        value = _validated(value)
        if self.scheduled or not isinstance(value, float):
            return False
        self.value = value
        self.variable.assign(value)
        return True

    def __call__(self, optimizer):
        """The radius for the optimizer's next step, a scalar."""
        if not self.scheduled:
            return self.variable.value
        if isinstance(self.value, RhoByLearningRate):
            return self.value(optimizer.learning_rate)
        if isinstance(self.value, Schedule):
            return self.value(optimizer.iterations)
        return ops.convert_to_tensor(self.value(), keras.config.floatx())


def _validated(rho):
    if isinstance(rho, SCHEDULES) or _is_getter(rho):
        return rho
    if not is_real(rho):
        raise ValueError(
            "`rho` must be a number, a "
            "`keras.optimizers.schedules.LearningRateSchedule`, a "
            "`keras_sam.schedules.RhoByLearningRate`, or a callable without arguments. (A "
            "function of the step is a subclass of `LearningRateSchedule`.) "
            f"Received: rho={rho} (of type {type(rho)})"
        )
    if rho < 0:
        raise ValueError(f"`rho` must be non-negative. Received: rho={rho}")
    value = as_float(rho)
    if not math.isfinite(value):
        raise ValueError(f"`rho` must be finite. Received: rho={rho}")
    # Beyond these it would be infinite or 0 in a step, which then is a plain one.
    limits = ml_dtypes.finfo(keras.config.floatx())
    least, largest = float(limits.smallest_normal), float(limits.max)
    if value and not least <= value <= largest:
        raise ValueError(
            f"`rho` must be 0, or in [{least:g}, {largest:g}] as a "
            f"{keras.config.floatx()}. Received: rho={rho}"
        )
    return value


def _is_getter(rho):
    """Whether it can be called without arguments, as Keras calls a learning rate."""
    if isinstance(rho, type) or not callable(rho):
        return False
    try:
        inspect.signature(rho).bind()
    except (TypeError, ValueError):
        return False
    return True

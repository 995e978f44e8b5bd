"""Schedules: rho over time."""

import math
import numbers

import keras


class Rho:
    """The radius, as the user sets it and as a compiled step reads it.

    A number is held in a variable, so that setting it reaches a step that is already
    compiled. A schedule is a function of the optimizer's iterations.

    Args:
        value: Float `>= 0`, or a `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: if `value` is neither, or is negative, infinite or NaN.
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
        return isinstance(self.value, keras.optimizers.schedules.LearningRateSchedule)

    def set(self, value):
        """Sets a number in place of a number. Returns whether that could be done."""
        value = _validated(value)
        if self.scheduled or not isinstance(value, float):
            return False
        self.value = value
        self.variable.assign(value)
        return True

    def __call__(self, iterations):
        """The radius at the optimizer's step `iterations`, a scalar."""
        return self.value(iterations) if self.scheduled else self.variable.value


def _validated(rho):
    if isinstance(rho, keras.optimizers.schedules.LearningRateSchedule):
        return rho
    if isinstance(rho, bool) or not isinstance(rho, numbers.Real):
        raise ValueError(
            "`rho` must be a number or a "
            "`keras.optimizers.schedules.LearningRateSchedule`. "
            f"Received: rho={rho} (of type {type(rho)})"
        )
    if rho < 0:
        raise ValueError(f"`rho` must be non-negative. Received: rho={rho}")
    if not math.isfinite(rho):
        raise ValueError(f"`rho` must be finite. Received: rho={rho}")
    return float(rho)

"""rho as the user may set it, and as a step reads it."""

import inspect
import math

import keras
import ml_dtypes
from keras import ops

from keras_sam.schedules.rho import SCHEDULES, RhoByLearningRate, Schedule
from keras_sam.validation import as_float, is_real


def variable(rho):
    """The variable that holds a number, or `None`.

    So setting it reaches a step that is already compiled.
    """
    if not isinstance(rho, float):
        return None
    return keras.Variable(rho, dtype=keras.config.floatx(), trainable=False, name="rho")


def radius(rho, variable, optimizer):
    """The radius for the optimizer's next step, a scalar.

    A number is its variable's value, if it has one. A schedule is a function of the
    optimizer's iterations or learning rate. A callable has no arguments, as one for the
    learning rate of Keras's optimizers: a compiled step calls it once, when it is compiled.
    """
    if variable is not None:
        return variable.value
    if isinstance(rho, float):
        return ops.convert_to_tensor(rho, keras.config.floatx())
    if isinstance(rho, RhoByLearningRate):
        return rho(optimizer.learning_rate)
    if isinstance(rho, Schedule):
        return rho(optimizer.iterations)
    return ops.convert_to_tensor(rho(), keras.config.floatx())


def validated(rho):
    """rho, a number as a float.

    Raises:
        ValueError: if it is no number, schedule or callable, or is negative, infinite or
            NaN, or is not 0 and would be that or infinite in Keras's `floatx`.
    """
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

"""Errors for numbers that the parts of a step cannot have."""

import math
import numbers


def number(name, value, low=-math.inf, high=math.inf):
    """The value as a float, if it is a finite number in `[low, high]`.

    Raises:
        ValueError: if it is not.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        raise ValueError(
            f"`{name}` must be a finite number in [{low}, {high}]. Received: {name}={value}"
        )
    return float(value)


def count(name, value, low=1):
    """The value as an integer, if it is one and at least `low`.

    Raises:
        ValueError: if it is not.
    """
    integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not integer or value < low:
        least = "a positive integer" if low == 1 else f"an integer of at least {low}"
        raise ValueError(f"`{name}` must be {least}. Received: {name}={value}")
    return int(value)

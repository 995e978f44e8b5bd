"""Errors for numbers that the rules of a step cannot have."""

import math
import numbers

LARGEST = (2 - 2**-23) * 2.0**127  # In float32, in which the step computes.
LARGEST_INTEGER = 2**31 - 1  # In int32, in which the optimizer counts.


def number(name, value, low=-LARGEST, high=LARGEST):
    """The value as a float, if it is a finite number in `[low, high]`.

    Raises:
        ValueError: if it is not.
    """
    if not is_real(value) or not low <= as_float(value) <= high:
        raise ValueError(
            f"`{name}` must be a finite number in [{low:g}, {high:g}]. "
            f"Received: {name}={value}"
        )
    return float(value)


def count(name, value, low=1):
    """The value as an integer, if it is one, at least `low`, and fits into int32.

    Raises:
        ValueError: if it is not.
    """
    integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not integer or not low <= value <= LARGEST_INTEGER:
        least = "a positive integer" if low == 1 else f"an integer of at least {low}"
        raise ValueError(
            f"`{name}` must be {least} and at most {LARGEST_INTEGER}. "
            f"Received: {name}={value}"
        )
    return int(value)


def is_real(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def as_float(value):
    """A real number as a float, infinite where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

"""The six arguments of a sharpness-aware model: defaults, and what the rules may be."""

from keras_sam.ascents import Ascent, LpBall
from keras_sam.descents import Descent, Perturbed
from keras_sam.rule_checks import check_begun
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import SCHEDULES

DEFAULTS = {
    "rho": 0.05,
    "m": None,
    "ascent": None,
    "descent": None,
    "schedule": None,
    "second_order": False,
}
SETTINGS = tuple(DEFAULTS)
RULES = {"ascent": (Ascent, LpBall), "descent": (Descent, Perturbed)}
RULES["schedule"] = (Schedule, Schedule)


def is_default(name, value):
    """Whether this is the value of a setting where none is given."""
    if name not in RULES or value is None:
        return value == DEFAULTS[name]
    default = RULES[name][1]()
    same_class = type(value) is type(default)
    return same_class and value.get_config() == default.get_config()


def rule(name, value):
    """The ascent, descent or schedule that is given, or the default.

    Raises:
        ValueError: if it is none.
    """
    kind, default = RULES[name]
    if value is None:
        return default()
    if name == "schedule" and isinstance(value, SCHEDULES):
        raise ValueError(
            "`schedule` says on which steps to climb. A schedule of the radius is a "
            f"`rho`: `rho={type(value).__name__}(...)`. Received: schedule={value}"
        )
    if not isinstance(value, kind):
        raise ValueError(
            f"`{name}` must be one of `keras_sam.{name}s` or of a subclass of "
            f"`keras_sam.{name}s.{kind.__name__}`. "
            f"Received: {name}={value} (of type {type(value)})"
        )
    check_begun(value)
    return value


def shown(value):
    """A schedule of Keras's or a function by its name: its `repr` is an address."""
    if hasattr(value, "__qualname__"):
        return value.__qualname__
    own = type(value).__repr__ is not object.__repr__
    return repr(value) if own else f"{type(value).__name__}()"

"""The arguments of a sharpness-aware model, and their defaults."""

import dataclasses
from typing import Literal

import keras

from keras_sam._model.rho import validated as validated_rho
from keras_sam._step import geometry
from keras_sam._step.rule_checks import check_begun
from keras_sam.ascents import Ascent, LpBall
from keras_sam.descents import Descent, Perturbed
from keras_sam.methods import Method
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import SCHEDULES, Radius

# Of each rule, what it has to be, and the default.
RULES = {
    "ascent": (Ascent, LpBall),
    "descent": (Descent, Perturbed),
    "schedule": (Schedule, Schedule),
    "method": (Method, lambda: None),
}
# What a method takes the place of.
ALONE = "ascent", "descent", "schedule", "second_order"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Settings:
    """How a model trains, as the user has set it. For `None` it has the default rule.

    Raises:
        ValueError: if one of them is not of its form.
    """

    rho: Radius = 0.05
    m: int | Literal["global"] | None = None
    ascent: Ascent | None = None
    descent: Descent | None = None
    schedule: Schedule | None = None
    second_order: bool = False
    method: Method | None = None
    curvature: bool = False

    def __post_init__(self):
        for name in ("second_order", "curvature"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ValueError(f"`{name}` must be a bool. Received: {name}={value}")
        if self.method is not None:
            self._check_alone()
        rules = {name: _rule(name, getattr(self, name)) for name in RULES}
        m = geometry.validated(self.m)
        for name, value in {"rho": validated_rho(self.rho), "m": m, **rules}.items():
            object.__setattr__(self, name, value)
        self._check_whole()
        self._check_measured()

    def replaced(self, **settings):
        return dataclasses.replace(self, **settings)

    @property
    def values(self):
        """Dict of all."""
        return {name: getattr(self, name) for name in SETTINGS}

    def remembered_of(self, perturbed, trained):
        """Dict by name of the rules that may remember, and of what weights each may.

        Args:
            perturbed: List of the variables that the ascent perturbs.
            trained: List of all that are trained.
        """
        seen = {
            "ascent": (self.ascent, perturbed),
            "schedule": (self.schedule, trained),
            "descent": (self.descent, trained),
        }
        return seen if self.method is None else seen | {"method": (self.method, trained)}

    @property
    def rho_is_zero(self):
        return isinstance(self.rho, float) and self.rho == 0

    @property
    def needs_gradient(self):
        """Whether a rule needs the gradient at w."""
        rules = self.ascent, self.descent, self.schedule
        reuses = self.schedule.reuse is not None
        return reuses or any(rule.needs_gradient for rule in rules)

    @property
    def shows_sharpness(self):
        """Whether a step has a pass over the whole batch at w, and one at w + eps."""
        return self.method is None and self.schedule.fraction == 1 and self.needs_gradient

    def _check_whole(self):
        if self.descent.functional and self.schedule.fraction < 1:
            raise ValueError(
                f"`{type(self.descent).__name__}` needs the predictions of the whole batch "
                "at w. Use a `schedule` without `fraction`. "
                f"Received: descent={self.descent}, schedule={self.schedule}"
            )

    def _check_measured(self):
        known = self.shows_sharpness and not self.second_order
        if self.curvature and not (known and self.ascent.needs_gradient):
            raise ValueError(
                "`curvature` needs the gradients at w and at w + eps of the whole batch. "
                "Use an ascent by this step's gradient, a `schedule` without `fraction`, "
                f"and no `second_order` or `method`. Received: {self}"
            )

    def _check_alone(self):
        others = {n: getattr(self, n) for n in ALONE if not is_default(n, getattr(self, n))}
        if others:
            names = " and ".join(f"`{name}`" for name in others)
            shown = ", ".join(f"{name}={_shown(value)}" for name, value in others.items())
            raise ValueError(
                f"A `method` is the whole step: it takes the place of {names}. Leave them "
                f"out, or set them to what they are by default. Received: "
                f"method={self.method}, {shown}"
            )

    def __repr__(self):
        """rho, and what is not a default: `rho=0.1, m=8`."""
        return ", ".join(
            f"{name}={_shown(value)}"
            for name, value in self.values.items()
            if name == "rho" or not is_default(name, value)
        )


SETTINGS = tuple(field.name for field in dataclasses.fields(Settings))


def deserialized(config, custom_objects=None):
    """The settings in a config. What an older file lacks is not among them."""
    return keras.saving.deserialize_keras_object(
        {name: config[name] for name in SETTINGS if name in config}, custom_objects
    )


def is_default(name, value):
    """Whether this is the value of a setting where none is given."""
    if name not in RULES or value is None:
        return value == getattr(Settings, name)
    default = RULES[name][1]()
    same_class = type(value) is type(default)
    return same_class and value.get_config() == default.get_config()


def _rule(name, value):
    """The ascent, descent or schedule that is given, or the default."""
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


def _shown(value):
    """A schedule of Keras's or a function by its name: its `repr` is an address."""
    if hasattr(value, "__qualname__"):
        return value.__qualname__
    own = type(value).__repr__ is not object.__repr__
    return repr(value) if own else f"{type(value).__name__}()"

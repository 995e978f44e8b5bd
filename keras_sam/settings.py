"""What a sharpness-aware model has beyond a plain one."""

import contextlib

import keras

from keras_sam import _backend
from keras_sam._backend import trainer
from keras_sam.ascents import Ascent, LpBall
from keras_sam.descents import Descent, Perturbed
from keras_sam.group_size import GroupSize
from keras_sam.memory import Memory
from keras_sam.rule_checks import check_begun
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import SCHEDULES, Rho

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


class Settings:
    """Kept in a plain object, of which Keras tracks nothing.

    So the model's weights and its parameter count stay the plain model's.
    """

    def __init__(
        self,
        rho=DEFAULTS["rho"],
        m=None,
        ascent=None,
        descent=None,
        schedule=None,
        second_order=False,
    ):
        self.rho = Rho(rho)
        self.m = GroupSize(m)
        self.ascent = _rule("ascent", ascent)
        self.descent = _rule("descent", descent)
        self.schedule = _rule("schedule", schedule)
        if not isinstance(second_order, bool):
            raise ValueError(
                f"`second_order` must be a bool. Received: second_order={second_order}"
            )
        self.second_order = second_order
        self.memory = Memory()
        self.epoch = keras.Variable(0, dtype="int32", trainable=False, name="epoch")
        self.sharpness = trainer.LowerIsBetter(name="sharpness")
        self.randomness = _backend.Randomness()
        self.evaluating = False
        self.built = None
        self.checked = None
        self.source = None  # The model that `SAMModel.from_model` was given.

    @property
    def variables(self):
        """What a compiled step reads, beside what plain training moves."""
        rho = [] if self.rho.scheduled else [self.rho.variable]
        return [*rho, self.epoch, *self.memory.all]

    @property
    def shows_sharpness(self):
        """Whether a step has a pass over the whole batch at w, and one at w + eps."""
        parts = self.ascent, self.descent, self.schedule
        return self.schedule.fraction == 1 and any(part.needs_gradient for part in parts)

    def build(self, model):
        """Tells the parts the weights, and makes room for what they remember."""
        variables = model.trainable_weights
        if not variables:
            return
        key = tuple(map(id, variables))
        if self.built == key:
            self.ascent.build(self.perturbed)  # Other models may have the same ascent.
            return
        trained = [v for v in variables if not v.overwrite_with_gradient]
        self.perturbed = self._select(trained, model)
        self.ascent.build(self.perturbed)
        with _backend.model_scope(model):
            neighbours = self.m.neighbours(None, _backend.replicas(model))
            self.memory.build(
                max(_backend.shards(model) // neighbours, 1),
                ascent=self.ascent.init(_backend.read(self.perturbed)),
                schedule=self.schedule.init(_backend.read(trained)),
            )
        self.built = key

    def _select(self, variables, model):
        if self.ascent.variables is None:
            return variables
        selected = self.ascent.variables.select(variables, trainer.layers(model))
        return [v for v, chosen in zip(variables, selected) if chosen]

    def set_rho(self, value):
        """Returns whether the step has to be compiled anew."""
        if self.rho.set(value):
            return False
        self.rho = Rho(value)
        return True

    def update(self, **settings):
        """Takes settings that a class did not pass on to its parent's constructor."""
        fresh = Settings(**{**self.values(), **settings})
        names = [*SETTINGS, "memory"]
        vars(self).update({name: vars(fresh)[name] for name in names})
        self.built = None

    def once(self, variables, check):
        """Runs a check of these variables, unless they have passed it already."""
        key = tuple(map(id, variables))
        if self.checked != key:
            check()
            self.checked = key

    @contextlib.contextmanager
    def evaluation(self):
        """There is no perturbation in it, and so no sharpness to show."""
        self.evaluating, before = True, self.evaluating
        try:
            yield
        finally:
            self.evaluating = before

    def get_config(self):
        config = self.values()
        if self.source is not None:
            config["from_model"] = self.source
        return keras.saving.serialize_keras_object(config)

    def __repr__(self):
        """rho, and what is not a default: `rho=0.1, m=8`."""
        return ", ".join(
            f"{name}={_shown(value)}"
            for name, value in self.values().items()
            if name == "rho" or not is_default(name, value)
        )

    def values(self):
        """Dict of the six settings, as the user sees them."""
        values = {name: getattr(self, name) for name in SETTINGS}
        return {**values, "rho": self.rho.value, "m": self.m.value}


def is_default(name, value):
    """Whether this is the value of a setting where none is given."""
    if name not in RULES or value is None:
        return value == DEFAULTS[name]
    default = RULES[name][1]()
    same_class = type(value) is type(default)
    return same_class and value.get_config() == default.get_config()


def _rule(name, value):
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
    """A schedule of Keras's by its class alone: its `repr` is an address."""
    own = type(value).__repr__ is not object.__repr__
    return repr(value) if own else f"{type(value).__name__}()"

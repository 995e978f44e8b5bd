"""What a sharpness-aware model has beyond a plain one."""

import contextlib

import keras

from keras_sam import _backend
from keras_sam._backend import trainer
from keras_sam.ascents import Ascent, LpBall
from keras_sam.descents import Descent, Perturbed
from keras_sam.group_size import GroupSize
from keras_sam.memory import Memory
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import Rho

SETTINGS = ("rho", "m", "ascent", "descent", "schedule", "second_order")


class Settings:
    """Kept in a plain object, of which Keras tracks nothing.

    So the model's weights and its parameter count stay the plain model's.
    """

    def __init__(
        self,
        rho=0.05,
        m=None,
        ascent=None,
        descent=None,
        schedule=None,
        second_order=False,
    ):
        self.rho = Rho(rho)
        self.m = GroupSize(m)
        self.ascent = _part("ascent", ascent, Ascent, LpBall)
        self.descent = _part("descent", descent, Descent, Perturbed)
        self.schedule = _part("schedule", schedule, Schedule, Schedule)
        if not isinstance(second_order, bool):
            raise ValueError(
                f"`second_order` must be a bool. Received: second_order={second_order}"
            )
        self.second_order = second_order
        self.memory = Memory()
        self.epoch = keras.Variable(0, dtype="int32", trainable=False, name="epoch")
        self.sharpness = keras.metrics.Mean(name="sharpness")
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
        was_zero = self.rho.is_zero
        if self.rho.set(value):
            return was_zero is not self.rho.is_zero
        self.rho = Rho(value)
        return True

    def update(self, **settings):
        """Takes settings that a class did not pass on to its parent's constructor."""
        fresh = Settings(**{**self._values(), **settings})
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
        config = self._values()
        if self.source is not None:
            config["from_model"] = self.source
        return keras.saving.serialize_keras_object(config)

    def _values(self):
        values = {name: getattr(self, name) for name in SETTINGS}
        return {**values, "rho": self.rho.value, "m": self.m.value}


def _part(name, value, kind, default):
    if value is None:
        return default()
    if not isinstance(value, kind):
        raise ValueError(
            f"`{name}` must be one of `keras_sam.{name}s` or of a subclass of "
            f"`keras_sam.{name}s.{kind.__name__}`. "
            f"Received: {name}={value} (of type {type(value)})"
        )
    return value

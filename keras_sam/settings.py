"""What a sharpness-aware model has beyond a plain one."""

import contextlib
import weakref

import keras

from keras_sam import _backend
from keras_sam._backend import trainer
from keras_sam.arguments import DEFAULTS, SETTINGS, is_default, rule, shown
from keras_sam.group_size import GroupSize
from keras_sam.memory import Memory
from keras_sam.schedules.rho import Rho


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
        self.ascent = rule("ascent", ascent)
        self.descent = rule("descent", descent)
        self.schedule = rule("schedule", schedule)
        if not isinstance(second_order, bool):
            raise ValueError(
                f"`second_order` must be a bool. Received: second_order={second_order}"
            )
        self.second_order = second_order
        self.memory = Memory(self._expected)
        self.model = None
        self.epoch = keras.Variable(0, dtype="int32", trainable=False, name="epoch")
        self.sharpness = trainer.LowerIsBetter(name="sharpness")
        self.randomness = _backend.Randomness()
        self.evaluating = False
        self.rho_was_set = False
        self.warned = False
        self.stepping = False  # Whether the model is called by a step of its own.
        self.taken = False  # Whether a step of this model has run, or has been traced.
        self.built = None
        self.checked = None
        self.source = None  # The model that `SAMModel.from_model` was given.

    def of(self, model):
        """These settings, which from now on know their model."""
        self.model = weakref.ref(model)
        return self

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
        with _backend.model_scope(model):
            self.perturbed, owners, tensors = self._beginning(model)
            neighbours = self.m.neighbours(None, _backend.replicas(model))
            count = max(_backend.shards(model) // neighbours, 1)
            self.memory.build(count, owners, tensors)
        self.built = key

    def _beginning(self, model):
        """Tells the ascent the weights.

        Returns:
            The weights to perturb, and what is remembered at first: who remembers
            something and of which weights, and the tensors, each by part.
        """
        trained = [v for v in model.trainable_weights if not v.overwrite_with_gradient]
        perturbed = self._select(trained, model)
        self.ascent.build(perturbed)
        seen = {"ascent": perturbed, "schedule": trained}
        tensors = {
            name: getattr(self, name).init(_backend.read(v)) for name, v in seen.items()
        }
        number = {id(variable): i for i, variable in enumerate(model.weights)}
        owners = {
            name: {
                "class": keras.saving.get_registered_name(type(getattr(self, name))),
                "weights": [number[id(variable)] for variable in seen[name]],
            }
            for name, values in tensors.items()
            if values
        }
        return perturbed, owners, tensors

    def _expected(self):
        """What is remembered at first, or `None` where the weights are not there yet."""
        model = self.model and self.model()
        if model is None or not model.trainable_weights:
            return None
        if not all(layer.built for layer in trainer.layers(model)):
            return None
        with _backend.model_scope(model):
            return self._beginning(model)[1:]

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

    def set(self, name, value, model):
        """Sets one of them, but for rho: a step that is compiled has to be so anew.

        What the parts remember stays, but for a part that is replaced.
        """
        fresh = Settings(**{name: value})
        if name == "m":
            fresh.m.batch_size = self.m.batch_size
            fresh.m.neighbours(None, _backend.replicas(model))
        vars(self)[name] = vars(fresh)[name]
        if self.built is None:
            return
        remembered = self.memory.values()
        remembered.pop(name, None)
        self.built = None
        self.build(model)
        self.memory.take_over(remembered)

    def update(self, **settings):
        """Takes settings that a class did not pass on to its parent's constructor."""
        fresh = Settings(**{**self.values(), **settings})
        vars(self).update({name: vars(fresh)[name] for name in SETTINGS})
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
            f"{name}={shown(value)}"
            for name, value in self.values().items()
            if name == "rho" or not is_default(name, value)
        )

    def values(self):
        """Dict of the six settings, as the user sees them."""
        values = {name: getattr(self, name) for name in SETTINGS}
        return {**values, "rho": self.rho.value, "m": self.m.value}

"""What changes of a sharpness-aware model, beside what changes of a plain one."""

import contextlib
import weakref

import keras

from keras_sam import _backend
from keras_sam._backend import keras_trainer
from keras_sam._model import rho
from keras_sam._model.memory import MemoryVariables
from keras_sam._step.curvature import NAMES
from keras_sam._step.geometry import neighbours
from keras_sam._step.objective import perturbed_by
from keras_sam._step.once import Once
from keras_sam._step.reuse import remembered_at_first
from keras_sam._step.trunk import trunk_of
from keras_sam.schedules.schedule import Time


class State:
    """A plain object, so that Keras does not track its variables.

    So the model's weights and its parameter count stay the plain model's.

    Attributes:
        settings: The `Settings` that hold now.
        rho: The variable of a rho that is a number, or `None`.
        epoch: Variable, the number of `fit`'s epoch.
        memory: `MemoryVariables`.
        sharpness: The metric.
        curvature: List of the metrics of the curvature, where it is asked for.
        largest: Integer, the most examples that a replica has had in a step of this
            training: the last batch of an epoch may be shorter. 0 if that is unknown.
        perturbed: List of the weights that the ascent perturbs, once the model is built.
        trunk: The `Trunk` that these leave, or `None`.
        randomness: How the model draws numbers that are not Keras's, as one `fit` sees it.
        once: `Once`, of the checks of a step.
        source: The model that `SAMModel.from_model` was given, or `None`.
        evaluating: Bool. Whether the model is in `evaluate`.
        stepping: Bool. Whether it is called by a step of its own.
        taken: Bool. Whether a step has run, or has been traced.
        rho_was_set: Bool. Whether rho was set in this `fit`.
        warned: Set of the names of the warnings that the user has had.
    """

    def __init__(self, settings, model, source=None):
        self.settings = settings
        self.rho = rho.variable(settings.rho)
        self.epoch = keras.Variable(0, dtype="int32", trainable=False, name="epoch")
        self.memory = MemoryVariables(self._expected)
        self.sharpness = keras_trainer.LowerIsBetter(name="sharpness")
        self.curvature = curvature_metrics(settings)
        self.largest = 0
        self.perturbed = self.trunk = None
        self.randomness = _backend.Randomness()
        self.source = source
        self.evaluating = self.stepping = False
        self.taken = self.rho_was_set = False
        self.warned = set()
        self._model = weakref.ref(model)
        self.once = Once()
        self._built_for = None  # The key of a list of variables.

    @property
    def variables(self):
        """What a compiled step reads, beside what plain training moves."""
        rho = [] if self.rho is None else [self.rho]
        return [*rho, self.epoch, *self.memory.all]

    def radius(self, optimizer):
        """The radius for the optimizer's next step, a scalar."""
        return rho.radius(self.settings.rho, self.rho, optimizer)

    def time(self, optimizer):
        """The `Time` of the optimizer's next step."""
        # A variable, or with gradient accumulation a tensor.
        return Time(optimizer.iterations + 0, self.epoch + 0)

    def begin(self, batch_size, replicas):
        """Takes the batch size of the training that begins.

        Args:
            batch_size: Integer, the number of examples on each replica, or `None`.
            replicas: Integer.

        Returns:
            Whether the step has to be compiled anew: other replicas share a perturbation.
        """
        m, largest = self.settings.m, batch_size or 0
        before, now = (neighbours(m, n, replicas) for n in (self.largest, largest))
        self.largest = largest
        return now != before

    def build(self, model):
        """Tells the ascent the weights, and makes room for what the rules remember."""
        variables = model.trainable_weights
        if not variables:
            return
        key = tuple(map(id, variables))
        if self._built_for == key:
            # Other models may have the same ascent.
            self.settings.ascent.build(self.perturbed)
            return
        with _backend.model_scope(model):
            self.perturbed, owners, tensors = self._beginning(model)
            sharing = neighbours(self.settings.m, self.largest, _backend.replicas(model))
            count = max(_backend.shards(model) // sharing, 1)
            self.memory.build(count, owners, tensors)
        self.trunk = trunk_of(model, self.perturbed)
        self._built_for = key

    def _beginning(self, model):
        """Tells the ascent the weights.

        Returns:
            The weights to perturb, and what is remembered at first: who remembers
            something and of which weights, and the tensors, each by rule.
        """
        ascent = self.settings.ascent
        trained = [v for v in model.trainable_weights if not v.overwrite_with_gradient]
        perturbed = perturbed_by(ascent, trained, keras_trainer.layers(model))
        ascent.build(perturbed)
        remembered = self.settings.remembered_of(perturbed, trained)
        tensors = remembered_at_first(remembered)
        number = {id(variable): i for i, variable in enumerate(model.weights)}
        owners = {
            name: {
                "class": keras.saving.get_registered_name(type(rule)),
                "weights": [number[id(variable)] for variable in variables],
            }
            for name, (rule, variables) in remembered.items()
            if tensors[name]
        }
        return perturbed, owners, tensors

    def _expected(self):
        """What is remembered at first, or `None` where the weights are not there yet."""
        model = self._model()
        if model is None or not model.trainable_weights:
            return None
        if not all(layer.built for layer in keras_trainer.layers(model)):
            return None
        with _backend.model_scope(model):
            return self._beginning(model)[1:]

    def set(self, model, **settings):
        """Sets some of the settings. What is remembered stays, but of a replaced rule.

        Returns:
            Whether the step has to be compiled anew.

        Raises:
            ValueError: if one of them cannot be, after which all is as before.
        """
        before, built_for = self.settings, self._built_for
        now = before.replaced(**settings)
        neighbours(now.m, self.largest, _backend.replicas(model))  # Raises if m cannot be.
        self.settings = now
        if now.curvature is not before.curvature:
            self.curvature = curvature_metrics(now)
        if settings.keys() == {"rho"}:
            return self._set_rho(before)
        if built_for is not None:
            remembered = self.memory.values()
            try:
                self._built_for = None
                self.build(model)
            except ValueError:
                self.settings, self._built_for = before, built_for
                raise
            kept = remembered.keys() - settings.keys()
            self.memory.take_over({name: remembered[name] for name in kept})
        if "rho" in settings:
            self._set_rho(before)
        return True

    def _set_rho(self, before):
        """A number in place of a number is assigned: a compiled step reads it."""
        number = isinstance(self.settings.rho, float)
        if not number or self.rho is None:
            self.rho = rho.variable(self.settings.rho)
            return True
        self.rho.assign(self.settings.rho)
        return before.rho_is_zero is not self.settings.rho_is_zero

    @contextlib.contextmanager
    def evaluation(self):
        """There is no perturbation in it, and so no sharpness to show."""
        self.evaluating, before = True, self.evaluating
        try:
            yield
        finally:
            self.evaluating = before

    def get_config(self):
        config = self.settings.values
        if self.source is not None:
            config["from_model"] = self.source
        return keras.saving.serialize_keras_object(config)


def curvature_metrics(settings):
    return [keras.metrics.Mean(name=name) for name in NAMES] if settings.curvature else []

"""The step of a training loop of the user's own."""

import keras
from keras import ops

from keras_sam import _backend
from keras_sam._backend import keras_trainer
from keras_sam._loop.given import Given, When, batch_size_of, pairs
from keras_sam._loop.result import LoopMemory, Result, Seen
from keras_sam._model import rho as radii
from keras_sam._step.arrays import as_fit_gives_it
from keras_sam._step.batch import Training, divided, step_on_batch
from keras_sam._step.group_checks import check_masks
from keras_sam._step.memory import Memory
from keras_sam._step.objective import Objective, perturbed_by
from keras_sam._step.once import Once
from keras_sam._step.predictions import marking
from keras_sam._step.reuse import remembered_at_first
from keras_sam.methods import Now
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import Schedule as RhoSchedule
from keras_sam.schedules.schedule import Time


class ValueAndGrad:
    """What `keras_sam.value_and_grad` returns, which documents it.

    Attributes:
        variables: List of the Keras variables that the gradients are of.
        non_trainable_variables: List of the other variables of the model.
    """

    def __init__(self, fn, model, has_aux, settings):
        if not callable(fn):
            raise ValueError(f"`fn` must be callable. Received: fn={fn}")
        self._fn, self._has_aux, self._settings = fn, has_aux, settings
        self._given = Given(model)
        self._randomness, self._once = _backend.Randomness(), Once()
        self._largest = 0

    @property
    def variables(self):
        return self._given.trainable

    @property
    def non_trainable_variables(self):
        return self._given.non_trainable

    def init(self) -> LoopMemory:
        """What the rules remember at first."""
        settings = self._settings
        remembered = settings.remembered_of(self._perturbed(), self._given.trained)
        tensors = remembered_at_first(remembered)
        shards = 1 if settings.m == "global" else _backend.shards(None)
        memory = Memory(**tensors).for_shards(shards)
        return LoopMemory(ops.zeros((), "int32"), *memory)

    def __call__(
        self, *data, memory=None, epoch=0, learning_rate=None, loss_scale=1.0
    ) -> Result:
        """The loss and the gradients.

        Args:
            *data: What `fn` is called with: tensors, or nested structures of them. NumPy's
                arrays become tensors, of Keras's `floatx` as in `fit`.
            memory: The `LoopMemory` of the call before, or `init()`. Needed where a rule
                remembers something or rho or the schedule depends on the iteration.
            epoch: Integer, for schedules that depend on it. Defaults to `0`.
            learning_rate: Scalar, for a rho that follows it. Defaults to `None`.
            loss_scale: Scalar that the gradients are multiplied by, as the loss scaling of
                an optimizer for float16 expects them. The loss is not. Defaults to `1.0`.

        Returns:
            A `Result`.
        """
        rows = keras.tree.map_structure(as_fit_gives_it, data)
        step, iteration = _backend.in_scope(
            lambda: self._step(rows, memory, epoch, learning_rate, loss_scale)
        )
        for variable, value in step.kept.updates:
            variable.assign(value)
        return Result(
            step.kept.loss,
            step.kept.y_pred.aux if self._has_aux else None,
            step.gradients,
            None if self._settings.descent.functional else step.sharpness,
            LoopMemory(iteration + 1, *step.memory),
        )

    def stateless_call(self, trainable, non_trainable, *data, **kwargs):
        """The same as a pure function, for JAX.

        Args:
            trainable: List of tensors, the values of `variables`.
            non_trainable: List of tensors, those of `non_trainable_variables`.
            *data: As of a call.
            **kwargs: As of a call.

        Returns:
            The `Result`, and the new values of `non_trainable_variables`.
        """
        others = self.non_trainable_variables
        given = pairs("trainable", self.variables, trainable)
        given += pairs("non_trainable", others, non_trainable)
        with keras.StatelessScope(given) as scope:
            result = self(*data, **kwargs)
            return result, [scope.get_current_value(v) for v in others]

    def _step(self, data, memory, epoch, learning_rate, loss_scale):
        """The pure step, and its iteration."""
        settings, perturbed = self._settings, self._perturbed()
        if memory is None:
            memory = self._nothing_remembered()
        iteration, *remembered = memory
        memory = Memory(*remembered)
        replicas, shards = _backend.replicas(None), _backend.shards(None)
        size, largest = batch_size_of(data), self._largest
        batch = divided(data, settings.m, size, largest, replicas, shards)
        self._largest = batch.largest
        alone = settings.m == "global" or not memory.per_replica
        memories = 1 if alone else shards
        objective = self._objective(loss_scale)
        when = When(iteration, learning_rate)
        now = Now(
            radii.radius(settings.rho, None, when),
            Time(iteration, ops.convert_to_tensor(epoch, "int32")),
            lambda: when.learning_rate,
        )
        training = Training(settings, perturbed, self._randomness, self._once)
        step = step_on_batch(training, objective, now, batch, memory, memories)
        return step, iteration

    def _objective(self, loss_scale):
        unscaled = isinstance(loss_scale, (int, float)) and loss_scale == 1
        return Objective(
            self._given.layers,
            self._given.trainable,
            self._given.owned,
            (),
            self._loss,
            lambda rows: self._fn(*rows),
            lambda loss: loss if unscaled else loss * ops.cast(loss_scale, loss.dtype),
            1.0 if unscaled else ops.convert_to_tensor(loss_scale),
            lambda: False if unscaled else ops.convert_to_tensor(loss_scale) > 1,
        )

    def _loss(self, rows, in_groups, clean=None):
        with marking(clean and clean.predictions) as marked:
            found = self._fn(*rows)
        if self._settings.descent.functional and not marked.seen:
            raise ValueError(
                "`descents.Functional` has to know the predictions that `fn` computes its "
                "loss of: `y_pred = keras_sam.predictions(model(x, training=True))`. "
                "Received: a `fn` that marks none"
            )
        if in_groups:
            check_masks(keras.tree.map_structure(keras_trainer.mask, marked.seen))
        pair = isinstance(found, tuple) and len(found) == 2
        if pair is not self._has_aux:
            raise ValueError(
                "`fn` must return a loss, or with `has_aux=True` a tuple `(loss, aux)`. "
                f"Received: {found}, with has_aux={self._has_aux}"
            )
        loss, aux = found if pair else (found, ())
        if len(getattr(loss, "shape", (1,))):
            raise ValueError(
                "`fn` must return a scalar tensor, for example the mean over the batch. "
                f"Received: loss={loss}"
            )
        return loss, loss, Seen(aux, marked.seen)

    def _perturbed(self):
        """The variables that the ascent perturbs, which it is told."""
        ascent = self._settings.ascent
        perturbed = perturbed_by(ascent, self._given.trained, self._given.layers)
        ascent.build(perturbed)
        return perturbed

    def _nothing_remembered(self):
        """The memory of rules that have none."""
        rho, schedule = self._settings.rho, self._settings.schedule
        timed = type(schedule).climbs is not Schedule.climbs
        memory = self.init()
        remembers = any(memory[1:])
        if timed or isinstance(rho, RhoSchedule) or remembers or self._settings.method:
            raise ValueError(
                "These rules remember something, or depend on the iteration: begin with "
                "`memory = grad.init()`, give each call `memory=memory`, and take "
                "`result.memory` for the next. Received: memory=None, with "
                f"{self._settings}"
            )
        return memory

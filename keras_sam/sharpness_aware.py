"""The mixin that makes a Keras model class sharpness-aware."""

from typing import Literal

import keras

from keras_sam import _backend
from keras_sam._backend import keras_trainer
from keras_sam._model.compiled import Compiled
from keras_sam._model.epochs import watching
from keras_sam._model.like import like
from keras_sam._model.saving import Saved
from keras_sam._model.settable import Settable
from keras_sam._model.settings import Settings
from keras_sam._model.shown import Shown
from keras_sam._model.state import State
from keras_sam._model.watch import Watch, warn_of_plain_training
from keras_sam._step.train_step import train_step
from keras_sam.ascents import Ascent
from keras_sam.descents import Descent
from keras_sam.methods import Method
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import Radius


class SharpnessAware(Settable, Shown, Compiled, Saved, _backend.Fit):
    """Makes a model class train with sharpness-aware minimization (SAM).

        eps = rho * g / ||g||_2,  g = gradient of L(w)
        the optimizer gets the gradient of L at w + eps

    A mixin: list it before the model class. `fit`, `compile` and everything else stay
    that class's; what is new is `train_step`. The loss and the metrics that `fit` shows are
    those at w, as are the updates of batch-norm statistics, seeds and other state. The
    logs of training have a further entry, `sharpness`: the mean of L(w + eps) - L(w).

    Where the loss is not finite at w + eps, the batch takes the plain step (and none, with
    a part of the step that takes no gradient at w), and `sharpness` is infinite for that
    epoch: rho is too large. Where the loss is finite, and an entry of its gradient is not,
    that entry is the one at w. Loss scaling skips a step whose gradient it has made
    overflow, as in plain training.

    A sharpness-aware step costs two steps of plain training. With `rho=0` it gives the
    same weights and logs, bit for bit.

    Args:
        *args: Positional arguments of the model class.
        rho: Float `>= 0`; or `keras.optimizers.schedules.LearningRateSchedule`, a function
            of the optimizer's iterations; or `keras_sam.schedules.RhoByLearningRate`; or a
            callable without arguments that gives a number, as Keras's optimizers take one
            for the learning rate. Radius of the perturbation, in weight units. Defaults to
            `0.05`.
        m: Number of examples that share one perturbation: an integer `> 0`, `None` for the
            replica's own batch, or `"global"` for that of all replicas. Below the
            replica's batch the step goes through groups of m examples and takes the mean
            of their gradients by examples; above it, neighbouring replicas share a
            perturbation. In the paper's experiments (section 4.1) a smaller m generalizes
            better. Defaults to `None`.
        ascent: From `keras_sam.ascents`: from weights and gradients to a perturbation.
            Defaults to `None`, for `keras_sam.ascents.LpBall(p=2)`.
        descent: From `keras_sam.descents`: from the gradients at w and at w + eps to the
            optimizer's. Defaults to `None`, for `keras_sam.descents.Perturbed()`.
        schedule: From `keras_sam.schedules`: on which steps to climb, and on how much
            data. Defaults to `None`, for every step and all of the batch.
        second_order: Bool. Whether the gradient is that of the loss at w + eps(w) as a
            function of w, at about twice the cost. Defaults to `False`.
        method: `keras_sam.methods.Method` of your own, a whole step in place of `ascent`,
            `descent`, `schedule` and `second_order`. Defaults to `None`.
        curvature: Bool. Whether the logs have measures of curvature, at no further pass
            (docs/sharpness.md). Defaults to `False`.
        **kwargs: Keyword arguments of the model class.

    Raises:
        ValueError: if an argument is not of this form; if the mixin does not come before
            the model class; or if that has a `train_step` of its own, which this one would
            replace. In `compile`, if a subclass takes one of these arguments and does not
            pass it on. In training, if `m` exceeds a replica's batch and is not the batch
            of a number of replicas that divides theirs.

    Example:

    >>> class Classifier(keras_sam.SharpnessAware, keras.Sequential):
    ...     pass
    >>> model = Classifier([keras.layers.Dense(10)], rho=0.1)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((32, 8)), np.ones((32, 10)), verbose=0)
    >>> sorted(history.history)
    ['loss', 'sharpness']

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412)
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        position = cls.__mro__.index(SharpnessAware)
        first, *others = cls.__bases__
        of_keras = first.__module__.startswith("keras.")
        plain = of_keras and not issubclass(first, SharpnessAware)
        behind = plain and any(issubclass(base, SharpnessAware) for base in others)
        if behind or keras.Model in cls.__mro__[:position]:
            bases = sorted(cls.__bases__, key=lambda b: not issubclass(b, SharpnessAware))
            raise ValueError(
                "`keras_sam.SharpnessAware` has to come before the model class, whose "
                f"`train_step` would be taken otherwise: `class {cls.__name__}"
                f"({', '.join(b.__name__ for b in bases)})`. "
                f"Received: bases={cls.__bases__}"
            )
        below = cls.__mro__[position + 1 :]
        owner = next((c for c in below if "train_step" in vars(c)), None)
        if owner is not None and not owner.__module__.startswith("keras."):
            raise ValueError(
                f"`{owner.__name__}` has a `train_step` of its own, which a sharpness-"
                "aware `train_step` would replace. In that `train_step`, take the gradient "
                "of each network by `keras_sam.value_and_grad`, and derive from "
                "`keras.Model`; or move what it does to `compute_loss` or "
                "`compute_metrics`; or, if it ends in `super().train_step(...)`, list "
                f"it first: `class {cls.__name__}({owner.__name__}, "
                f"keras_sam.SAMModel)`. Received: bases={cls.__bases__}"
            )

    def __init__(
        self,
        *args,
        rho: Radius = 0.05,
        m: int | Literal["global"] | None = None,
        ascent: Ascent | None = None,
        descent: Descent | None = None,
        schedule: Schedule | None = None,
        second_order: bool = False,
        method: Method | None = None,
        curvature: bool = False,
        **kwargs,
    ):
        settings = Settings(
            rho, m, ascent, descent, schedule, second_order, method, curvature
        )
        # Before: a model class may compile itself, as KerasHub's do.
        vars(self)["_sharpness_aware"] = State(settings, self)
        super().__init__(*args, **kwargs)

    def __getattr__(self, name):
        """Called for what is not there: of a model whose constructor was cut short, all."""
        if name == "_sharpness_aware" or not hasattr(self, "_sharpness_aware"):
            raise AttributeError(
                f"`{type(self).__name__}` has no attribute `{name}`. Its `__init__` has to "
                "call `super().__init__(...)` first."
            )
        inherited = getattr(super(), "__getattr__", None)  # PyTorch's modules have one.
        if inherited is not None:
            return inherited(name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @property
    def _needs_batch_size(self):
        state = self._sharpness_aware
        return isinstance(state.settings.m, int) and not state.evaluating

    def _see_batch_size(self, batch_size):
        """Called before `fit` trains, with the examples of a step, if they are known."""
        if not self._needs_batch_size:
            return
        local = batch_size and batch_size // _backend.shards(self)
        recompile = self._sharpness_aware.begin(local, _backend.replicas(self))
        if recompile and self.train_function is not None:
            self.make_train_function(force=True)

    def _see_weights(self):
        """Called before the first step, when the weights are there."""
        if not self._sharpness_aware.evaluating:
            self._sharpness_aware.build(self)

    def _see_epoch(self, epoch):
        with _backend.model_scope(self):
            self._sharpness_aware.epoch.assign(epoch)

    @like(keras.Model.fit)
    def fit(self, *args, **kwargs):
        self._sharpness_aware.randomness = _backend.Randomness()
        fit = super().fit
        try:
            with watching(fit, args, kwargs, Watch(self)) as (args, kwargs):
                return fit(*args, **kwargs)
        finally:
            self._see_epoch(0)  # As it is outside of `fit`.

    def __call__(self, *args, **kwargs):
        warn_of_plain_training(self, self._sharpness_aware, kwargs.get("training"))
        return super().__call__(*args, **kwargs)

    @_backend.train_step
    def train_step(self, data):
        """One sharpness-aware step; same arguments and logs as `keras.Model`'s."""
        state = self._sharpness_aware
        state.taken = True
        keras_trainer.check_compiled(self)
        keras_trainer.build(self, data)
        with _backend.outside():
            keras_trainer.build_optimizer(self)
        state.stepping = True
        try:
            return train_step(self, data, state)
        finally:
            state.stepping = False

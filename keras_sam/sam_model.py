"""`SAMModel`: a `keras.Model` that trains with sharpness-aware minimization."""

from typing import Literal

import keras

from keras_sam import _backend
from keras_sam._backend import cloning
from keras_sam._model import forms
from keras_sam._model.mistakes import check_not_a_model, check_source, model_and_settings
from keras_sam._model.settings import Settings, deserialized
from keras_sam._model.state import State
from keras_sam.ascents import Ascent
from keras_sam.descents import Descent
from keras_sam.methods import Method
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import Radius
from keras_sam.sharpness_aware import SharpnessAware


class _New:
    """Apart from `SAMModel.__init__`, whose signature is then that of the class."""

    def __new__(cls, *args, **kwargs):
        if cls is SAMModel and forms.is_functional(args, kwargs):
            cls = forms.functional(cls)
        return super().__new__(cls, *args, **kwargs)


@keras.saving.register_keras_serializable("keras_sam")
class SAMModel(_New, SharpnessAware, keras.Model):
    """A `keras.Model` that trains with sharpness-aware minimization (SAM).

    Functional, `SAMModel(inputs, outputs, ...)`; subclassed, with layers and a `call` of
    its own; or made of an existing model by `SAMModel.from_model(model, ...)`. The
    arguments that are not `keras.Model`'s are those of `keras_sam.SharpnessAware`.

    Args:
        *args: Positional arguments of `keras.Model`.
        rho: Float `>= 0`, `keras.optimizers.schedules.LearningRateSchedule`,
            `keras_sam.schedules.RhoByLearningRate`, or a callable without arguments that
            gives a number. Radius of the perturbation, in weight units. Defaults to
            `0.05`.
        m: Number of examples that share one perturbation: an integer `> 0`, `None` for the
            replica's own batch, or `"global"` for that of all replicas. Defaults to
            `None`.
        ascent: From `keras_sam.ascents`. Defaults to `None`, for
            `keras_sam.ascents.LpBall(p=2)`.
        descent: From `keras_sam.descents`. Defaults to `None`, for
            `keras_sam.descents.Perturbed()`.
        schedule: From `keras_sam.schedules`. Defaults to `None`, for every step and all
            of the batch.
        second_order: Bool. Whether the gradient goes through the perturbation. Defaults
            to `False`.
        method: `keras_sam.methods.Method` of your own, in place of the four above it.
            Defaults to `None`.
        curvature: Bool. Whether the logs have measures of curvature. Defaults to `False`.
        **kwargs: Keyword arguments of `keras.Model`.

    Raises:
        ValueError: if one of these is not of its form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> model = keras_sam.SAMModel(inputs, outputs, rho=0.05)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((32, 8)), np.ones((32, 1)), verbose=0)

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412)
    """

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
        functional = forms.is_functional(args, kwargs)
        check_not_a_model(args, kwargs, functional)
        if functional:
            forms.check_functional(kwargs)
            forms.make_functional(type(self), SAMModel)
        super().__init__(
            *args,
            rho=rho,
            m=m,
            ascent=ascent,
            descent=descent,
            schedule=schedule,
            second_order=second_order,
            method=method,
            curvature=curvature,
            **kwargs,
        )

    def __reduce__(self):
        # A class that `forms` has made cannot be found by its name; this one can.
        load, arguments = super().__reduce__()
        return getattr(SAMModel, load.__name__), arguments

    @classmethod
    @model_and_settings
    def from_model(
        cls,
        model: keras.Model,
        *,
        rho: Radius = 0.05,
        m: int | Literal["global"] | None = None,
        ascent: Ascent | None = None,
        descent: Descent | None = None,
        schedule: Schedule | None = None,
        second_order: bool = False,
        method: Method | None = None,
        curvature: bool = False,
    ) -> "SAMModel":
        """A sharpness-aware model with the layers and weights of `model`.

        Training it trains `model`, which itself stays plain: its `fit`, its file and its
        `compile` are its own.

        Args:
            model: A `keras.Model`: functional, Sequential or subclassed, built or not.
            rho: As for `SAMModel`, like all that follow.
            m: Number of examples that share one perturbation.
            ascent: From `keras_sam.ascents`.
            descent: From `keras_sam.descents`.
            schedule: From `keras_sam.schedules`.
            second_order: Bool.
            method: `keras_sam.methods.Method` of your own, in place of the four above it.
            curvature: Bool.

        Returns:
            A `SAMModel` that is also an instance of `model`'s class, not yet compiled.

        Raises:
            ValueError: if `model` is not a Keras model, is sharpness-aware already, or
                has a `train_step` of its own; or if a setting is not of its form.

        Example:

        >>> plain = keras.Sequential([keras.layers.Dense(1)])
        >>> model = keras_sam.SAMModel.from_model(plain, rho=0.05)
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((32, 8)), np.ones((32, 1)), verbose=0)
        >>> plain.save("plain.keras")
        """
        check_source(model, SharpnessAware)
        settings = Settings(
            rho, m, ascent, descent, schedule, second_order, method, curvature
        )
        shared = forms.share(cls, model)
        with _backend.model_scope(model):
            shared._sharpness_aware = State(settings, shared, source=model)
        return shared

    @classmethod
    def from_config(cls, config, custom_objects=None):
        if "from_model" not in config:
            return super().from_config(config, custom_objects)
        model = keras.saving.deserialize_keras_object(config["from_model"], custom_objects)
        return cls.from_model(model, **deserialized(config, custom_objects))


def _clone_of(clone, model, *args, **kwargs):
    """Keras's clone of a model, which comes without the settings, with them."""
    if not isinstance(model, SharpnessAware):
        return clone(model, *args, **kwargs)
    settings = model._sharpness_aware.settings.values
    cloned = clone(model._sharpness_aware.source or model, *args, **kwargs)
    if isinstance(cloned, SharpnessAware):
        with _backend.model_scope(cloned):
            cloned._sharpness_aware.set(cloned, **settings)
        return cloned
    cloned = SAMModel.from_model(cloned, **settings)
    if model.compiled:
        cloned.compile_from_config(model.get_compile_config())
    return cloned


cloning.follow(_clone_of)

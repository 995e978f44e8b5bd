"""`SAMModel`: a `keras.Model` that trains with sharpness-aware minimization."""

import keras

from keras_sam import _backend, forms
from keras_sam._backend import cloning
from keras_sam.settings import SETTINGS, Settings
from keras_sam.sharpness_aware import SharpnessAware


@keras.saving.register_keras_serializable("keras_sam")
class SAMModel(SharpnessAware, keras.Model):
    """A `keras.Model` that trains with sharpness-aware minimization (SAM).

    Functional, `SAMModel(inputs, outputs, ...)`; subclassed, with layers and a `call` of
    its own; or made of an existing model by `SAMModel.from_model(model, ...)`. The
    arguments that are not `keras.Model`'s are those of `keras_sam.SharpnessAware`.

    Args:
        *args: Positional arguments of `keras.Model`.
        rho: Float `>= 0`, `keras.optimizers.schedules.LearningRateSchedule` or
            `keras_sam.schedules.RhoByLearningRate`. Radius of the perturbation, in weight
            units. Defaults to `0.05`.
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

    def __new__(cls, *args, **kwargs):
        if cls is SAMModel and forms.is_functional(args, kwargs):
            cls = forms.functional(cls)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args, **kwargs):
        if forms.is_functional(args, kwargs):
            forms.check_functional(kwargs, allowed=SETTINGS)
            forms.make_functional(type(self), SAMModel)
        super().__init__(*args, **kwargs)

    def __reduce__(self):
        # A class that `forms` has made cannot be found by its name; this one can.
        load, arguments = super().__reduce__()
        return getattr(SAMModel, load.__name__), arguments

    @classmethod
    def from_model(cls, model, **settings):
        """A sharpness-aware model with the layers and weights of `model`.

        Training it trains `model`, which itself stays plain: its `fit`, its file and its
        `compile` are its own.

        Args:
            model: A `keras.Model`: functional, Sequential or subclassed, built or not.
            **settings: `rho`, `m`, `ascent`, `descent`, `schedule` and `second_order`, as
                for `SAMModel`.

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
        if not isinstance(model, keras.Model) or isinstance(model, SharpnessAware):
            raise ValueError(
                "`model` must be a `keras.Model` that is not sharpness-aware already "
                "(there, set its `rho`). "
                f"Received: model={model} (of type {type(model)})"
            )
        with _backend.model_scope(model):
            settings = Settings(**settings)
        settings.source = model
        shared = forms.share(cls, model)
        shared._sharpness_aware = settings.of(shared)
        return shared

    @classmethod
    def from_config(cls, config, custom_objects=None):
        if "from_model" not in config:
            return super().from_config(config, custom_objects)
        names = ("from_model", *SETTINGS)
        config = keras.saving.deserialize_keras_object(
            {name: config[name] for name in names if name in config}, custom_objects
        )
        return cls.from_model(config.pop("from_model"), **config)


def _clone_of(clone, model, *args, **kwargs):
    """Keras's clone of a model, which comes without the settings, with them."""
    if not isinstance(model, SharpnessAware):
        return clone(model, *args, **kwargs)
    settings = model._sharpness_aware
    cloned = clone(settings.source or model, *args, **kwargs)
    if isinstance(cloned, SharpnessAware):
        with _backend.model_scope(cloned):
            cloned._sharpness_aware.update(**settings.values())
        return cloned
    cloned = SAMModel.from_model(cloned, **settings.values())
    if model.compiled:
        cloned.compile_from_config(model.get_compile_config())
    return cloned


cloning.follow(_clone_of)

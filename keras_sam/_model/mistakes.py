"""Errors for what people type first, and what to type instead."""

import inspect

import keras

from keras_sam._model.like import Method, like
from keras_sam._model.settings import SETTINGS

INSTEAD = {
    "adaptive": "`ascent=keras_sam.ascents.Adaptive()`",
    "base_optimizer": "`model.compile(optimizer, ...)`",
    "num_batch_splits": "`m`, the number of examples in a split (whose gradients are then "
    "averaged; where they were summed, multiply the learning rate by the number of splits)",
    "optimizer": "`model.compile(optimizer, ...)`",
    "p": "`ascent=keras_sam.ascents.LpBall(p=...)`",
    "alpha": "`descent=keras_sam.descents.GSAM(alpha=...)`",
    "eta": "`ascent=keras_sam.ascents.Adaptive(eta=...)`",
}


def refuse_keyword(name, value, function):
    """Raises for a keyword that there is not."""
    instead = INSTEAD.get(name)
    advice = f"Use {instead}" if instead else f"There are {', '.join(SETTINGS)}"
    raise ValueError(
        f"Unrecognized keyword argument passed to {function}. {advice}. "
        f"Received: {name}={value}"
    )


def model_and_settings(function: Method) -> Method:
    """A class method of a model and keywords. Other arguments are errors that help."""
    parameters = inspect.signature(function).parameters

    @like(function)
    def checked(cls, *args, **kwargs):
        if len(args) > 1:
            raise ValueError(
                f"`{function.__name__}` takes the model alone by its position: name what "
                f"comes after it, for example `{function.__name__}(model, rho=0.1)`. "
                f"Received: {', '.join(map(str, args[1:]))}"
            )
        for name in kwargs.keys() - parameters.keys():
            refuse_keyword(name, kwargs[name], f"`{function.__name__}`")
        return function(cls, *args, **kwargs)

    return checked


def check_source(model, sharpness_aware):
    """Raises where `from_model` is given what is not a plain Keras model."""
    module = type(model).__module__.partition(".")[0]
    if isinstance(model, sharpness_aware):
        advice = "It is sharpness-aware already: set its `rho`, or another of its settings"
    elif isinstance(model, keras.Model):
        return
    elif isinstance(model, type):
        advice = f"Make a model of the class first: `{model.__name__}(...)`"
    elif isinstance(model, keras.Layer):
        advice = "Put the layer into a model: `keras.Sequential([layer])`"
    elif isinstance(model, (list, tuple)):
        advice = "Put the layers into a model: `keras.Sequential(layers)`"
    elif module in ("tf_keras", "tensorflow"):
        advice = (
            "This is a model of Keras 2 (`tf_keras`, which `tf.keras` is while "
            "`TF_USE_LEGACY_KERAS` is set): make it with Keras 3, `import keras`"
        )
    else:
        advice = "Make one with Keras 3, `import keras`"
    raise ValueError(
        f"`model` must be a `keras.Model` that is not sharpness-aware. {advice}. "
        f"Received: model={model} (of type {type(model)})"
    )


def check_not_a_model(args, kwargs, functional):
    """Raises where `SAMModel` is given a model, as Keras 2's class of that kind was.

    Args:
        args: Positional arguments of `SAMModel`.
        kwargs: Keyword arguments.
        functional: Bool. Whether they could be those of a functional model.
    """
    first = args[0] if args else kwargs.get("model", kwargs.get("layers"))
    if first is None:
        return
    made = isinstance(first, keras.Model)
    if made or (isinstance(first, (list, tuple)) and _is_layer(first)):
        source = "model" if made else "keras.Sequential(layers)"
        advice = f"`SAMModel.from_model({source}, rho=...)` makes one sharpness-aware"
    elif functional or not args:
        return
    elif len(args) > 2:
        advice = "Name what comes after them: `SAMModel(inputs, outputs, rho=0.1)`"
    else:
        advice = "A functional model needs both, `SAMModel(inputs, outputs, rho=0.1)`"
    raise ValueError(
        "`SAMModel` takes `inputs` and `outputs`, or as a base class nothing, by position. "
        f"{advice}. Received: {', '.join(map(str, args)) or first}"
    )


def _is_layer(values):
    return any(isinstance(value, keras.Layer) for value in values)


def check_compile(kwargs, compile_method):
    """Raises where `compile` is given a setting of the model."""
    accepted = inspect.signature(compile_method).parameters
    for name in SETTINGS:
        if name in kwargs and name not in accepted:
            raise ValueError(
                f"`{name}` is an argument of the model, not of `compile`: give it to the "
                f"model's constructor, or set `model.{name}`. "
                f"Received: {name}={kwargs[name]}"
            )

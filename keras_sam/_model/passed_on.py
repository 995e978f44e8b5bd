"""A class whose constructor takes a setting and keeps it to itself."""

import inspect

from keras_sam._model.settings import SETTINGS, is_default


def given(cls, args, kwargs):
    """The settings among the arguments of a constructor, its defaults included."""
    try:
        bound = inspect.signature(cls.__init__).bind(None, *args, **kwargs)
    except TypeError:  # The constructor will say so.
        return {}
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    for parameter in bound.signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            arguments |= arguments.pop(parameter.name)
    return {name: arguments[name] for name in SETTINGS if name in arguments}


def check(name, value, settings, cls):
    """Raises where a constructor was given a setting and the model has its default.

    Raises:
        ValueError: if so.
    """
    current = getattr(settings, name)
    if is_default(name, value) or not is_default(name, current):
        return
    raise ValueError(
        f"`{cls.__name__}.__init__` takes `{name}` and does not pass it on: it has to call "
        f"`super().__init__({name}={name}, ...)`, or to set `self.{name}`. "
        f"Received: {name}={value}, and the model has {name}={current}"
    )

"""The three forms of a `SAMModel`: functional, subclassed, and made of another model."""

import functools

import keras

from keras_sam import _backend
from keras_sam._backend import saving, trainer


def is_functional(args, kwargs):
    """Whether these are the arguments of a functional model, as `keras.Model` has it."""
    names = ("inputs", "outputs")[len(args) :]
    return len(args) <= 2 and all(name in kwargs for name in names)


def check_functional(kwargs, allowed):
    """Keras takes any keyword for a functional model, and a misspelled one with it."""
    for name in kwargs.keys() - {"inputs", "outputs", "name", "trainable", *allowed}:
        raise ValueError(
            "Unrecognized keyword argument passed to a functional `SAMModel`. "
            f"Received: {name}={kwargs[name]}"
        )


def combine(cls, base):
    """The class `cls` on top of `base`."""
    names = {"__module__": cls.__module__, "_alone": cls}
    return type(cls.__name__, (cls, base), names)


@functools.cache
def functional(root):
    """The root on top of Keras's Functional."""
    combined = combine(root, trainer.Functional)
    saving.name_as(combined, root)
    return combined


def make_functional(cls, root):
    """Puts Keras's Functional below `cls`, and leaves `root` as it is.

    `keras.Model` does so when a subclass of it gets inputs and outputs, for all classes
    up to `keras.Model`. The root is the base of subclassed models also.
    """
    if not issubclass(cls, trainer.Functional):
        cls.__bases__ = tuple(_functional_base(b, root) for b in cls.__bases__)


def _functional_base(base, root):
    if base is root:
        return functional(root)
    if issubclass(base, root):
        make_functional(base, root)
    return base


def share(cls, model):
    """A model of class `cls` on top of `model`'s class, with all that `model` holds.

    The two have the same layers, weights and other attributes, and each a training
    state (optimizer, losses, compiled functions) of its own.
    """
    alone = vars(cls).get("_alone", cls)
    cls = combine(alone, type(model))
    shared = cls.__new__(cls)
    saving.name_as(cls, alone, while_there_is=shared)
    # Keras wraps these two around the instance.
    own = {"build", "quantize"}
    vars(shared).update((k, v) for k, v in vars(model).items() if k not in own)
    vars(shared).pop("optimizer", None)
    with _backend.model_scope(model):
        super(keras.Model, shared).__init__()
    return shared

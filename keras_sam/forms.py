"""The three forms of a `SAMModel`: functional, subclassed, and made of another model."""

import functools

import keras

from keras_sam import _backend
from keras_sam._backend import trainer
from keras_sam.mistakes import refuse_keyword


def is_functional(args, kwargs):
    """Whether these are the arguments of a functional model, as `keras.Model` has it."""
    names = ("inputs", "outputs")[len(args) :]
    return len(args) <= 2 and all(name in kwargs for name in names)


def check_functional(kwargs):
    """Keras takes any keyword for a functional model, and a misspelled one with it."""
    for name in kwargs.keys() - {"inputs", "outputs", "name", "trainable"}:
        refuse_keyword(name, kwargs[name], "a functional `SAMModel`")


@functools.cache
def combine(cls, base):
    """The class `cls` on top of `base`. Its instances are serialized as `cls`'s."""
    names = {"__module__": cls.__module__, "_alone": cls}
    combined = type(cls.__name__, (cls, base), names)
    package, _, name = keras.saving.get_registered_name(cls).rpartition(">")
    # The registry holds a name for a class and a class for a name. The last one to
    # register is the one that is found.
    for each in (combined, cls):
        keras.saving.register_keras_serializable(package, name)(each)
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
        return combine(root, trainer.Functional)
    if issubclass(base, root):
        make_functional(base, root)
    return base


def share(cls, model):
    """A model of class `cls` on top of `model`'s class, with all that `model` holds.

    The two have the same layers, weights and other attributes, and each a training
    state (optimizer, losses, compiled functions) of its own.
    """
    # A class that is combined already would take its own's place in Keras's registry.
    cls = combine(vars(cls).get("_alone", cls), type(model))
    shared = cls.__new__(cls)
    # Keras wraps these two around the instance.
    own = {"build", "quantize"}
    vars(shared).update((k, v) for k, v in vars(model).items() if k not in own)
    vars(shared).pop("optimizer", None)
    with _backend.model_scope(model):
        super(keras.Model, shared).__init__()
    return shared

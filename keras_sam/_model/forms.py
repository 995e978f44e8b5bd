"""The three forms of a `SAMModel`: functional, subclassed, and made of another model."""

import functools

import keras

from keras_sam import _backend
from keras_sam._backend import keras_trainer, saving
from keras_sam._model.mistakes import refuse_keyword


def is_functional(args, kwargs):
    """Whether these are the arguments of a functional model, as `keras.Model` has it."""
    names = ("inputs", "outputs")[len(args) :]
    return len(args) <= 2 and all(name in kwargs for name in names)


def check_functional(kwargs):
    """Keras takes any keyword for a functional model, and a misspelled one with it."""
    for name in kwargs.keys() - {"inputs", "outputs", "name", "trainable"}:
        refuse_keyword(name, kwargs[name], "a functional `SAMModel`")


def combine(cls, base, **names):
    """The class `cls` on top of `base`."""
    names |= {"__module__": cls.__module__, "_alone": cls}
    return type(cls.__name__, (cls, base), names)


@functools.cache
def functional(root):
    """The root on top of Keras's Functional."""
    combined = combine(root, keras_trainer.Functional)
    saving.name_as(combined, root)
    return combined


def make_functional(cls, root):
    """Puts Keras's Functional below `cls`, and leaves `root` as it is.

    `keras.Model` does so when a subclass of it gets inputs and outputs, for all classes
    up to `keras.Model`. The root is the base of subclassed models also.
    """
    if not issubclass(cls, keras_trainer.Functional):
        cls.__bases__ = tuple(_functional_base(b, root) for b in cls.__bases__)


def _functional_base(base, root):
    if base is root:
        return functional(root)
    if issubclass(base, root):
        make_functional(base, root)
    return base


def share(cls, model):
    """A model of class `cls` on top of `model`'s class, which is otherwise `model`.

    The two have one dict of attributes, so that whatever is added to one, built or set
    there is the other's too. What each has of its own, its training state (optimizer,
    losses, compiled functions), is in properties of the class, which come before that dict.
    (Slots would, too, but torch.compile looks into the dict first.)
    """
    alone, base = vars(cls).get("_alone", cls), type(model)
    names = {name: _own(name) for name in keras_trainer.STATE}
    names["__slots__"] = "_own", "_sharpness_aware"
    names["quantize"] = property(_quantize, _set_quantize)
    if hasattr(base, "save_to_preset"):
        names["save_to_preset"] = _save_to_preset
    cls = combine(alone, base, **names)
    shared = cls.__new__(cls)
    saving.name_as(cls, alone, while_there_is=shared)
    object.__setattr__(shared, "__dict__", vars(model))
    with _backend.model_scope(model):
        super(keras.Model, shared).__init__()
    return shared


def _own(name):
    """The property of that name, whose values are in the dict `_own`."""

    def get(shared):
        if name not in shared._own:
            raise AttributeError(f"It has no attribute `{name}` yet.")
        return shared._own[name]

    def put(shared, value):
        if not hasattr(shared, "_own"):
            object.__setattr__(shared, "_own", {})
        shared._own[name] = value

    def delete(shared):
        del shared._own[name]

    return property(get, put, delete)


def _quantize(shared):
    """As the source's, which has the source alone forget its compiled functions."""
    wrapped = vars(shared).get("quantize")
    if wrapped is None:  # Keras wraps it when it makes the instance.
        return super(type(shared), shared).quantize

    def quantize(*args, **kwargs):
        wrapped(*args, **kwargs)
        shared.train_function = shared.test_function = shared.predict_function = None

    return quantize


def _set_quantize(shared, wrapped):
    vars(shared)["quantize"] = wrapped


def _save_to_preset(shared, *args, **kwargs):
    """KerasHub's: a preset holds the plain task, whose class knows of no settings."""
    return shared._sharpness_aware.source.save_to_preset(*args, **kwargs)

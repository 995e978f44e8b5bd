"""A callback among those of `fit`: the epoch, for one, Keras tells callbacks alone."""

import contextlib
import inspect

import keras


@contextlib.contextmanager
def watching(fit, args, kwargs, watch):
    """The arguments of a call of `fit`, with a callback before all others while it runs."""
    signature = inspect.signature(fit)
    if "callbacks" in signature.parameters:
        bound = signature.bind(*args, **kwargs)
        callbacks = bound.arguments.pop("callbacks", None)
        args, kwargs = bound.args, bound.kwargs
    else:
        callbacks = kwargs.pop("callbacks", None)
    with _with(watch, callbacks) as callbacks:
        yield args, {**kwargs, "callbacks": callbacks}


@contextlib.contextmanager
def _with(watch, callbacks):
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        yield [watch, *keras.tree.flatten(callbacks or [])]
        return
    # The caller's own, who may pass it again: it is left as it came.
    callbacks.callbacks.insert(0, watch)
    try:
        yield callbacks
    finally:
        callbacks.callbacks.remove(watch)

"""The number of the epoch, which Keras tells callbacks alone."""

import contextlib
import inspect

import keras


class EpochCounter(keras.callbacks.Callback):
    """Hands each epoch's number to a function before the epoch begins."""

    def __init__(self, see):
        super().__init__()
        self.see = see

    def on_epoch_begin(self, epoch, logs=None):
        self.see(epoch)


@contextlib.contextmanager
def counting(fit, args, kwargs, see):
    """The arguments of a call of `fit`, with a counter among its callbacks while it runs.

    When it ends, the epoch is 0 again, as it is outside of `fit`.
    """
    signature = inspect.signature(fit)
    if "callbacks" in signature.parameters:
        bound = signature.bind(*args, **kwargs)
        callbacks = bound.arguments.pop("callbacks", None)
        args, kwargs = bound.args, bound.kwargs
    else:
        callbacks = kwargs.pop("callbacks", None)
    try:
        with _with(EpochCounter(see), callbacks) as callbacks:
            yield args, {**kwargs, "callbacks": callbacks}
    finally:
        see(0)


@contextlib.contextmanager
def _with(counter, callbacks):
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        yield [counter, *keras.tree.flatten(callbacks or [])]
        return
    # The caller's own, who may pass it again: it is left as it came.
    callbacks.callbacks.insert(0, counter)
    try:
        yield callbacks
    finally:
        callbacks.callbacks.remove(counter)

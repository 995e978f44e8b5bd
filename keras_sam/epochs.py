"""The number of the epoch, which Keras tells callbacks alone."""

import inspect

import keras


class EpochCounter(keras.callbacks.Callback):
    """Hands each epoch's number to a function before the epoch begins."""

    def __init__(self, see):
        super().__init__()
        self.see = see

    def on_epoch_begin(self, epoch, logs=None):
        self.see(epoch)


def counting(fit, args, kwargs, see):
    """The arguments of a call of `fit`, with a counter among its callbacks."""
    signature = inspect.signature(fit)
    if "callbacks" not in signature.parameters:
        return args, {
            **kwargs,
            "callbacks": _with(EpochCounter(see), kwargs.get("callbacks")),
        }
    bound = signature.bind(*args, **kwargs)
    before = bound.arguments.get("callbacks")
    bound.arguments["callbacks"] = _with(EpochCounter(see), before)
    return bound.args, bound.kwargs


def _with(counter, callbacks):
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(counter)
        return callbacks
    return [counter, *keras.tree.flatten(callbacks or [])]

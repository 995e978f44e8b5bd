"""Which predictions a loss is of: those of this pass, or those at w."""

import contextlib
import threading

import keras
from keras import ops

from keras_sam._backend import keras_trainer
from keras_sam._step.finite import is_floating


class _Running(threading.local):  # Of a strategy's replicas, each has a thread.
    marked = None


_running = _Running()


def predictions(y_pred):
    """Marks the predictions of which a loss is computed, for `descents.Functional`.

    That descent takes the derivative of the loss at the predictions that w gives, and so
    has to know in a training loop of your own what of `fn` is a prediction. In `fit` it
    does. With groups of `m` examples a mask on predictions is refused, as it is in `fit`.
    Otherwise this changes nothing.

    Args:
        y_pred: Nested structure of tensors.

    Returns:
        The same, to compute the loss of.

    Raises:
        ValueError: if more or fewer predictions are marked at w + eps than at w.

    Example:

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    >>> def loss(x, y):
    ...     y_pred = keras_sam.predictions(model(x, training=True))
    ...     return keras.ops.mean((y_pred - y) ** 2)
    >>> descent = keras_sam.descents.Functional()
    >>> grad = keras_sam.value_and_grad(loss, model, rho=0.05, descent=descent)
    >>> result = grad(np.ones((4, 8), "float32"), np.ones((4, 1), "float32"))
    """
    marked = _running.marked
    return y_pred if marked is None else marked.see(y_pred)


class Marked:
    """The predictions that a pass marks.

    Args:
        clean: List of those that the pass at w has marked, or `None` in that pass.

    Attributes:
        seen: List of nested structures of tensors.
    """

    def __init__(self, clean):
        self.clean = clean
        self.seen = []

    def see(self, y_pred):
        self.seen.append(y_pred)
        if self.clean is None:
            return y_pred
        if len(self.seen) > len(self.clean):
            self.refuse()
        return at(self.clean[len(self.seen) - 1], y_pred)

    def refuse(self):
        raise ValueError(
            "`keras_sam.predictions` has to be called as often at w + eps as at w. "
            f"Received: {len(self.seen)} calls, and {len(self.clean)} at w"
        )


@contextlib.contextmanager
def marking(clean=None):
    """Within it, the predictions that are marked: gives their `Marked`."""
    before, _running.marked = _running.marked, Marked(clean)
    try:
        marked = _running.marked
        yield marked
        if clean is not None and len(marked.seen) < len(clean):
            marked.refuse()
    finally:
        _running.marked = before


def at(clean, here):
    """Predictions of this pass, with the values of those at w.

    Gradients go back through the pass: it is its Jacobian that they have.
    """
    return keras.tree.map_structure(_at, clean, here)


def _at(clean, here):
    if not is_floating(here):
        return clean
    change = here - ops.stop_gradient(here)  # 0, whose derivative is that of the pass.
    change = ops.where(ops.isfinite(here), change, ops.zeros_like(change))
    return keras_trainer.with_mask(clean + change, keras_trainer.mask(here))

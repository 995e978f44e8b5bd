"""What becomes of numbers that are not finite: none stays in the model for good."""

import math

import keras
from keras import ops

from keras_sam import _backend
from keras_sam._step.branch import branch


def usable(perturbed, clean, indices, skips):
    """What can be used of a pass at w + eps, where that may be beyond all numbers.

    Where its loss is not finite, no gradient can be used, and the step is the plain one.
    Else it is so entry by entry, so that the compiler need not keep the gradients at w till
    all others are known. A gradient may also have overflowed by the scale of the loss:
    such a step is the optimizer's to skip, and its scale to lower.

    Args:
        perturbed: The `Pass` at w + eps.
        clean: List of the gradients at w, or `None` where there are none.
        indices: List of the indices of the weights that are trained.
        skips: Whether the optimizer skips a step whose gradient overflows: a bool, or a
            scalar tensor.

    Returns:
        The gradients to use, and whether the loss is finite: a scalar bool tensor. (To
        look at all gradients for it would keep more of them at a time.)
    """
    loss = ops.isfinite(perturbed.loss)
    gradients = list(perturbed.gradients)
    present = [i for i in indices if gradients[i] is not None]
    if not present:
        return gradients, loss
    found = [gradients[i] for i in present]
    instead = [None if clean is None else clean[i] for i in present]
    mended = _backend.mended(found, instead, loss, skips)
    for i, gradient in zip(present, mended):
        gradients[i] = gradient
    return gradients, loss


def or_infinite(finite, sharpness):
    """The sharpness for the logs: infinite where nothing of a pass could be used."""
    return ops.where(finite, sharpness, ops.full_like(sharpness, math.inf))


def finite_updates(climbs, updates, given):
    """The state of a pass at w + eps, where nothing may stay infinite for good.

    Args:
        climbs: Bool or scalar bool tensor. Without, the pass is a plain one, and so is
            its state.
        updates: List of `(variable, value)`.
        given: List of `(variable, value)` from which the pass started.
    """
    given = {id(variable): value for variable, value in given}

    def finite():
        return [
            unless_infinite(value, given.get(id(v), v.value))
            if isinstance(v, keras.Variable)
            else value
            for v, value in updates
        ]

    values = branch(climbs, finite, lambda: [value for _, value in updates])
    return [(v, value) for (v, _), value in zip(updates, values)]


def unless_infinite(new, old):
    """The new tensor, with the old one's entries where it is not finite."""
    if not is_floating(old):
        return new
    return ops.cast(ops.where(ops.isfinite(new), new, old), old.dtype)


def is_floating(tensor):
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(tensor.dtype))


def skips_overflow(optimizer):
    """Whether it skips a step in which its scale of the loss makes a gradient overflow."""
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return False
    return optimizer.scale_loss(1.0) > 1

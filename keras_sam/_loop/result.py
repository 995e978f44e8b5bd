"""What a loop gets of a step, and keeps for the next."""

from typing import Any, NamedTuple


class LoopMemory(NamedTuple):
    """What is remembered from one call to the next: tensors, for `jit` and for files.

    Attributes:
        iteration: Scalar integer tensor, the number of calls before.
        ascent: List of tensors.
        schedule: List of tensors.
        descent: List of tensors.
        method: List of tensors.
    """

    iteration: Any
    ascent: list
    schedule: list
    descent: list
    method: list


class Seen(NamedTuple):
    """What a pass of `fn` gives beside the loss, as its predictions.

    Attributes:
        aux: What else `fn` returns; `()` without `has_aux`.
        predictions: List of what it marks by `keras_sam.predictions`.
    """

    aux: Any
    predictions: list


class Result(NamedTuple):
    """What `value_and_grad` gives.

    Attributes:
        loss: Scalar tensor, L(w).
        aux: What else `fn` returns, at w; `None` without `has_aux`.
        gradients: List of tensors for the optimizer, one for each of `variables`, `None`
            where the loss does not depend on it.
        sharpness: Scalar tensor, L(w + eps) - L(w); `None` where L(w) is not known.
        memory: `LoopMemory`, for the next call.
    """

    loss: Any
    aux: Any
    gradients: list
    sharpness: Any
    memory: LoopMemory

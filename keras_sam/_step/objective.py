"""What a step trains: a loss of rows of the batch, and what it is a function of."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Objective(NamedTuple):
    """A loss, and the layers that it is computed with.

    Attributes:
        layers: List of layers, however deep.
        variables: List of the Keras variables that are trained.
        owned: List of all weights of the layers, without their seeds and metrics.
        losses: Nested structure of Keras's losses, as far as they are known.
        loss: Callable `(rows, in_groups, clean)` from rows of the batch to the loss whose
            gradient is taken, to the loss as it is shown, and to a nested structure of
            tensors, the predictions. Given those of another pass as `clean`, the first loss
            has its derivative at them.
        predict: Callable from rows to whatever the loss is computed from.
        scaled: Callable from the loss to that whose gradients the optimizer expects.
        scale: Scalar, what the loss is multiplied by there: a tensor, or `1.0`.
        skips_overflow: Callable without arguments. Whether the optimizer skips a step in
            which the scale makes a gradient overflow: a bool, or a scalar tensor.
    """

    layers: list
    variables: list
    owned: list
    losses: Any
    loss: Callable
    predict: Callable
    scaled: Callable
    scale: Any
    skips_overflow: Callable


def perturbed_by(ascent, variables, layers):
    """Those of the variables that an ascent perturbs.

    Args:
        ascent: The `Ascent`.
        variables: List of the variables that are trained.
        layers: List of layers, however deep.
    """
    if ascent.variables is None:
        return variables
    return ascent.variables.chosen(variables, layers)

"""The sharpness-aware step, a pure function of tensors."""

from typing import Any, NamedTuple


class Pass(NamedTuple):
    """What one pass over the batch gives, nothing of it written yet.

    Attributes:
        loss: Scalar tensor, as the model computes it.
        y_pred: The model's predictions.
        gradients: List of tensors, `None` for a weight that the loss does not use.
        updates: List of `(variable, value)`, the state that the pass would move.
    """

    loss: Any
    y_pred: Any
    gradients: list
    updates: list


class Step(NamedTuple):
    """What one step gives: the clean pass, L(w + eps) - L(w), and the update's gradient."""

    clean: Pass
    sharpness: Any
    gradients: list


def sharpness_aware_step(evaluate, weights, ascend, fixed):
    """The gradient at w + eps, and everything else from the pass at w.

        clean, g      = evaluate(w)
        eps           = ascend(w, g)
        perturbed, s  = evaluate(w + eps)

    Both passes start from the same state, and only the clean pass's is kept.

    Args:
        evaluate: Callable from weights to a `Pass`.
        weights: List of tensors, w.
        ascend: Callable from weights and gradients to perturbations of their shape and
            dtype, `None` for a weight that stays as it is.
        fixed: List of bool. Weights that are not perturbed and get the clean gradient.

    Returns:
        A `Step`.

    Raises:
        ValueError: if a weight gets a gradient in one of the passes only.

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Algorithm 1
    """
    clean = evaluate(weights)
    directions = [None if f else g for f, g in zip(fixed, clean.gradients)]
    perturbation = ascend(weights, directions)
    perturbed = evaluate([w if e is None else w + e for w, e in zip(weights, perturbation)])
    for g, s in zip(clean.gradients, perturbed.gradients):
        if (g is None) is not (s is None):
            raise ValueError(
                "A weight got a gradient in one pass of the step and none in the other: "
                "the model's `call` keeps tensors from one pass to the next (for example "
                "in a `tf.function` of its own). Remove that `tf.function`; Keras "
                "compiles the whole step anyway."
            )
    gradients = [
        g if f else s for f, g, s in zip(fixed, clean.gradients, perturbed.gradients)
    ]
    return Step(clean, perturbed.loss - clean.loss, gradients)

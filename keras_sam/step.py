"""The sharpness-aware step, a pure function of tensors."""

from typing import Any, NamedTuple

from keras import ops

from keras_sam.branch import branch
from keras_sam.finite import or_infinite


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
    """What one step gives.

    Attributes:
        shown: The `Pass` whose loss, predictions and state are the step's.
        sharpness: L(w + eps) - L(w), or `None` where L(w) is not known.
        gradients: List of tensors, for the optimizer.
    """

    shown: Pass
    sharpness: Any
    gradients: list


def sharpness_aware_step(evaluate, weights, parts, evaluate_part=None):
    """The gradient at w + eps, and everything else from the pass at w.

        shown, g  = evaluate(w)
        _, s      = evaluate(parts.perturb(w, g))
        update    = parts.descend(g, s)

    Where the loss is not finite at w + eps, the step is the plain one, with g in the place
    of s, and so is each entry of s that is not finite. The sharpness is infinite then.

    Both passes start from the same state, and only the first one's is kept. Where no part
    of the step needs g, or that of some of the examples is enough, there is no pass over
    all of them at w, and the one at w + eps is shown.

    Args:
        evaluate: Callable from weights to a `Pass`. Given `at`, a callable from weights to
            weights, it evaluates there, and the gradients go back through it.
        weights: List of tensors, w.
        parts: The step's `Parts`.
        evaluate_part: As `evaluate`, on the examples by which to climb; `None` for all.

    Returns:
        A `Step`.

    Raises:
        ValueError: if a weight gets a gradient in one of the passes only.

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Algorithm 1, and C.4 for
          the second order
    """
    if parts.needs_gradient and evaluate_part is None:
        return _shown_at_w(evaluate, weights, parts)
    return _shown_at_the_perturbed(evaluate, weights, parts, evaluate_part)


def _shown_at_w(evaluate, weights, parts):
    clean = evaluate(weights)
    g = parts.share(clean.gradients)
    climbs = parts.climbs(g)

    def climb():
        perturbed = _evaluate_perturbed(evaluate, evaluate, weights, g, parts)
        _check_alike(clean.gradients, perturbed.gradients)
        gradients, finite = parts.usable(perturbed, clean.gradients)
        gradients = parts.unless_fixed(gradients, clean.gradients)
        return perturbed.loss - clean.loss, gradients, finite

    def stay():
        finite = None if parts.stays_at_w else ops.ones((), "bool")
        return ops.zeros_like(clean.loss), clean.gradients, finite

    sharpness, s, finite = branch(climbs, climb, stay)
    if finite is not None:
        sharpness = or_infinite(finite, sharpness)
        climbs = _both(climbs, finite)
    return Step(clean, sharpness, parts.descend(climbs, g, s))


def _shown_at_the_perturbed(evaluate, weights, parts, evaluate_part):
    g = None
    if parts.needs_gradient:
        g = parts.share(evaluate_part(weights).gradients)
    climbs = parts.climbs(g)
    perturbed = _evaluate_perturbed(
        evaluate, evaluate_part or evaluate, weights, g, parts, climbs
    )
    s, finite = parts.usable(perturbed, g)
    if finite is not None:
        climbs = _both(climbs, finite)
    return Step(perturbed, None, parts.descend(climbs, g, s))


def _evaluate_perturbed(evaluate, evaluate_part, weights, g, parts, climbs=True):
    """The pass at w + eps, which in second order is a function of each w."""

    def at(weights):
        here = g
        if parts.second_order and g is not None:
            here = parts.share(evaluate_part(weights).gradients)
        return branch(
            climbs, lambda: parts.perturb(weights, here, evaluate_part), lambda: weights
        )

    return evaluate(weights, at) if parts.second_order else evaluate(at(weights))


def _both(climbs, finite):
    """To descents and schedules, a step that cannot use its climb is one without."""
    if isinstance(climbs, bool):
        return finite if climbs else climbs
    return ops.logical_and(climbs, finite)


def _check_alike(gradients, perturbed):
    for g, s in zip(gradients, perturbed):
        if (g is None) is not (s is None):
            raise ValueError(
                "A weight got a gradient in one pass of the step and none in the other: "
                "the model's `call` keeps tensors from one pass to the next (for example "
                "in a `tf.function` of its own). Remove that `tf.function`; Keras "
                "compiles the whole step anyway."
            )

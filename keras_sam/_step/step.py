"""The sharpness-aware step, a pure function of tensors."""

import functools
from typing import Any, NamedTuple

from keras import ops

from keras_sam import _backend
from keras_sam._step.ascent_pass import ascent_pass
from keras_sam._step.branch import branch
from keras_sam._step.finite import finite_updates, or_infinite
from keras_sam._step.memory import Memory
from keras_sam.methods import Pass


class Step(NamedTuple):
    """What one step gives.

    Attributes:
        kept: The `Pass` whose loss, predictions and state are the step's.
        sharpness: L(w + eps) - L(w), or `None` where L(w) is not known.
        gradients: List of tensors, for the optimizer.
        memory: `Memory`, what is remembered after the step.
        curvature: List of what `curvature_of` gives, where it is asked for.
    """

    kept: Pass
    sharpness: Any
    gradients: list
    memory: Memory
    curvature: list = []  # noqa: RUF012


def sharpness_aware_step(
    evaluate, weights, rules, memory, given=(), evaluate_fraction=None
):
    """The gradient at w + eps, and everything else from the pass at w.

        kept, g = evaluate(w)
        _, s    = evaluate(w + eps(g))
        update  = descent(g, s)

    Where the loss is not finite at w + eps, the step is the plain one, with g in the place
    of s, and so is each entry of s that is not finite. The sharpness is infinite then.

    Both passes start from the same state, and only the first one's is kept. Where no rule
    needs g, or that of a fraction of the examples is enough, there is no pass over all of
    them at w, and the one at w + eps is kept.

    Args:
        evaluate: Callable from weights to a `Pass`. Given `at`, a callable from weights to
            weights, it evaluates there, and the gradients go back through it. Given the
            predictions of another pass as `clean`, the derivative of the loss is at them.
        weights: List of tensors, w.
        rules: The step's `Rules`.
        memory: The `Memory` before the step.
        given: List of `(variable, value)`, the state that the passes start from where that
            is not the variables' own.
        evaluate_fraction: As `evaluate`, on the examples by which to climb; `None` for all.

    Returns:
        A `Step`.

    Raises:
        ValueError: if a weight gets a gradient in one of the passes only.

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Algorithm 1, and C.4 for
          the second order
    """
    if rules.needs_gradient and evaluate_fraction is None:
        return _clean_pass_kept(evaluate, weights, rules, memory)
    return _perturbed_pass_kept(evaluate, weights, rules, memory, given, evaluate_fraction)


def _clean_pass_kept(evaluate, weights, rules, memory):
    clean = ascent_pass(evaluate)(weights)
    g = rules.gradients.over_neighbours(clean.gradients)
    seen = rules.remember(g, memory)
    climbs, seen = rules.decide(g, seen)

    def climb():
        at, there = _perturbation(evaluate, g, seen, memory, rules), None
        if rules.measures:
            there = at(weights)
            at = lambda _: there  # noqa: E731
        perturbed = _evaluate_at(evaluate, weights, at, rules, clean)
        check_alike(clean.gradients, perturbed.gradients)
        curvature = rules.measured(g, weights, there, perturbed.gradients)
        gradients, finite = rules.usable(perturbed, clean.gradients)
        gradients = rules.gradients.keep_overwrites(gradients, clean.gradients)
        return perturbed.loss - clean.loss, gradients, finite, curvature

    def stay():
        plain = _as_they_are(clean, rules)
        return ops.zeros_like(clean.loss), *plain, rules.measured(g)

    sharpness, s, finite, curvature = branch(climbs, climb, stay)
    if finite is not None:
        sharpness = or_infinite(finite, sharpness)
        climbs = _both(climbs, finite)
    return Step(clean, sharpness, *rules.descend(climbs, g, s, seen), curvature)


def _perturbed_pass_kept(evaluate, weights, rules, memory, given, evaluate_fraction):
    g, seen = None, memory
    if rules.need_each_gradient(memory):
        clean = ascent_pass(evaluate_fraction)(weights)
        g = rules.gradients.over_neighbours(clean.gradients)
        seen = rules.remember(g, memory)
    climbs, seen = rules.decide(g, seen)
    if g is None and rules.needs_gradient:
        g = _gradient_of_a_climb(climbs, evaluate_fraction, weights, rules)
    perturb = _perturbation(evaluate_fraction or evaluate, g, seen, memory, rules)

    def at(weights):
        return branch(climbs, lambda: perturb(weights), lambda: weights)

    perturbed = _evaluate_at(evaluate, weights, at, rules)
    updates = finite_updates(climbs, perturbed.updates, given)
    s, finite = branch(
        climbs,
        lambda: rules.usable(perturbed, g),
        lambda: _as_they_are(perturbed, rules),
    )
    if finite is not None:
        climbs = _both(climbs, finite)
    kept = perturbed._replace(updates=updates)
    return Step(kept, None, *rules.descend(climbs, g, s, seen))


def _gradient_of_a_climb(climbs, evaluate, weights, rules):
    """The gradient at w where the step climbs. Where it does not, nothing runs for it."""
    if climbs is False:
        return None

    def found():
        return ascent_pass(evaluate)(weights).gradients

    def none():
        return [ops.zeros_like(w) for w in weights]

    def dense():
        pairs = zip(found(), none())
        return [zero if g is None else _backend.dense(g) for g, zero in pairs]

    gradients = found() if climbs is True else branch(climbs, dense, none)
    return rules.gradients.over_neighbours(gradients)  # Outside: all of them meet there.


def _perturbation(evaluate, g, seen, memory, rules):
    """The callable from w to w + eps, in second order with the gradient of each w."""
    evaluate = ascent_pass(evaluate)

    def at(weights):
        if not rules.second_order or g is None:
            return rules.perturb(weights, g, seen, memory, evaluate)
        here = rules.gradients.over_neighbours(evaluate(weights).gradients)
        return rules.perturb(weights, here, rules.remember(here, memory), memory, evaluate)

    return at


def _evaluate_at(evaluate, weights, at, rules, clean=None):
    if rules.functional:
        evaluate = functools.partial(evaluate, clean=clean.y_pred)
    return evaluate(weights, at) if rules.second_order else evaluate(at(weights))


def _as_they_are(plain, rules):
    """The gradients of a plain step, in the form of `Rules.usable`."""
    return plain.gradients, None if rules.stays_at_w else ops.ones((), "bool")


def _both(climbs, finite):
    """To descents and schedules, a step that cannot use its climb is one without."""
    if isinstance(climbs, bool):
        return finite if climbs else climbs
    return ops.logical_and(climbs, finite)


def check_alike(gradients, perturbed):
    """The gradients of two passes are of the same weights.

    Raises:
        ValueError: if one of them lacks a gradient that the other has.
    """
    for g, s in zip(gradients, perturbed):
        if (g is None) is not (s is None):
            raise ValueError(
                "A weight got a gradient in one pass of the step and none in the other: "
                "the model's `call` keeps tensors from one pass to the next (for example "
                "in a `tf.function` of its own). Remove that `tf.function`; Keras "
                "compiles the whole step anyway."
            )

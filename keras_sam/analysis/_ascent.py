"""The perturbation that is the worst in a ball, of a loss on data."""

from keras import ops

from keras_sam.analysis._flat import flat
from keras_sam.ascents import LpBall, Metric


def ascent_of(p, steps, metric):
    """The ascent whose ball it is, and how to bring a perturbation back to that ball."""
    if metric is None:
        ball = LpBall(p, steps)
        return ball, lambda eps, rho, weights, memory: ball.project(eps, rho)
    if not isinstance(metric, Metric):
        raise ValueError(
            "`metric` must be a `keras_sam.ascents.Metric`, such as "
            f"`keras_sam.ascents.Adaptive()`. Received: metric={metric}"
        )
    if p != 2:
        raise ValueError(
            f"A `metric` has a `p` of its own. Received: metric={metric}, p={p}"
        )
    ball = LpBall(metric.p, steps)

    def project(eps, rho, weights, memory):
        """To ||eps / T||_p <= rho."""
        scales = _scales(metric, weights, memory)
        units = ball.project([_over(e, s) for e, s in zip(eps, scales)], rho)
        return [u * s for u, s in zip(units, scales)]

    return metric, project


def up(loss, ascent, project, steps, rho, batch):
    """The weights at the perturbation that so many steps of the ascent find.

    What the ascent remembers is of the gradient at w, so that all steps have one ball.
    """
    weights, eps, memory = loss.weights, None, ascent.init(loss.weights)
    for _ in range(steps):
        here = weights if eps is None else _sum(weights, eps)
        gradient = loss.gradient(here, batch)[1]
        if eps is None:
            memory = ascent.remember(gradient, memory)
        direction = ascent.direction(gradient, memory)
        step = ascent.perturb(weights, direction, rho, memory)
        eps = step if eps is None else project(_sum(eps, step), rho, weights, memory)
    return _sum(weights, eps)


def scales_of(loss, ascent):
    """The unit of each weight: T of a metric, as a vector."""
    if not isinstance(ascent, Metric):
        return flat([ops.ones_like(w) for w in loss.weights])
    memory = ascent.init(loss.weights)
    if memory:
        memory = ascent.remember(loss.gradient(loss.weights)[1], memory)
    return flat(_scales(ascent, loss.weights, memory))


def _scales(metric, weights, memory):
    """T, a tensor for each weight."""
    scales = metric.scale(weights, memory)
    return [
        ops.zeros_like(w) + ops.cast(1.0 if s is None else s, w.dtype)
        for w, s in zip(weights, scales)
    ]


def _over(x, y):
    """x / y, and 0 where y is 0."""
    zero = y == 0
    quotient = x / ops.where(zero, ops.ones_like(y), y)
    return ops.where(zero, ops.zeros_like(x), quotient)


def _sum(weights, eps):
    return [w + e for w, e in zip(weights, eps)]

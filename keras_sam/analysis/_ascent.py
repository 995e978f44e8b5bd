"""The perturbation that is the worst in a ball, of a loss on data."""

from keras_sam.analysis._flat import flat
from keras_sam.ascents import LpBall, Metric


def ascent_of(p, steps, metric):
    """The ascent whose ball it is."""
    if metric is None:
        return LpBall(p, steps)
    if not isinstance(metric, Metric):
        raise ValueError(
            "`metric` must be a `keras_sam.ascents.Metric`, such as "
            f"`keras_sam.ascents.Adaptive()`. Received: metric={metric}"
        )
    if steps != 1 or p != 2:
        raise ValueError(
            "A `metric` has a `p` of its own and takes one step. "
            f"Received: metric={metric}, p={p}, steps={steps}"
        )
    return metric


def up(loss, ascent, rho, batch):
    """The weights at the perturbation that the ascent finds."""
    weights, eps = loss.weights, None
    for _ in range(ascent.steps):
        here = weights if eps is None else _sum(weights, eps)
        gradient = loss.gradient(here, batch)[1]
        memory = ascent.remember(gradient, ascent.init(weights))
        direction = ascent.direction(gradient, memory)
        step = ascent.perturb(weights, direction, rho, memory)
        eps = step if eps is None else ascent.project(_sum(eps, step), rho)
    return _sum(weights, eps)


def scales_of(loss, ascent):
    """The unit of each weight: T of a metric, as a vector."""
    scales = [None] * len(loss.weights)
    if isinstance(ascent, Metric):
        memory = ascent.init(loss.weights)
        if memory:
            memory = ascent.remember(loss.gradient(loss.weights)[1], memory)
        scales = ascent.scale(loss.weights, memory)
    ones = [1.0 if s is None else s for s in scales]
    return flat([w * 0 + one for w, one in zip(loss.weights, ones)])


def _sum(weights, eps):
    return [w + e for w, e in zip(weights, eps)]

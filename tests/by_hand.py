"""Every variant by hand, in NumPy and float64: functions of flat vectors.

A rule is a generator: it is sent the gradient's function and the weights of a step,
and yields the gradient for the optimizer.
"""

import numpy as np

from tests.helpers import array

RHO = 0.25


def norm(v):
    return np.sqrt((v**2).sum())


def unit(v):
    return v / norm(v) if norm(v) else v


def along(v, axis):
    """The projection of v on an axis."""
    return (v @ unit(axis)) * unit(axis)


def rule(step):
    """A rule without memory: `step(gradient, w, t)`."""

    def run():
        update, t = None, 0
        while True:
            gradient, w = yield update
            update = step(gradient, w, t)
            t += 1

    return run


def sam(gradient, w, t=0):
    return gradient(w + RHO * unit(gradient(w)))


def multi_step(steps, p):
    def step(gradient, w, t):
        eps = 0 * w
        for _ in range(steps):
            g = gradient(w + eps)
            eps = eps + RHO * (unit(g) if p == 2 else np.sign(g))
            if p == 2:
                eps = eps * min(1, RHO / norm(eps))
            eps = np.clip(eps, -RHO, RHO) if p > 2 else eps
        return gradient(w + eps)

    return rule(step)


def adaptive(eta, p, kernel):
    def step(gradient, w, t):
        size = np.where(kernel, np.abs(w) + eta, 1)
        g = gradient(w)
        if p == 2:
            return gradient(w + RHO * size**2 * g / norm(size * g))
        return gradient(w + RHO * size * np.sign(g))

    return rule(step)


def layerwise(ratio):
    def step(gradient, w, t):
        g = gradient(w)
        return gradient(w + RHO * ratio * g / np.sqrt((ratio * g * g).sum()))

    return rule(step)


def preconditioned(beta, epsilon):
    update, v, t = None, 0, 0
    while True:
        gradient, w = yield update
        g, t = gradient(w), t + 1
        v = beta * v + (1 - beta) * g**2
        size = 1 / (np.sqrt(v / (1 - beta**t)) + epsilon)
        update = gradient(w + RHO * size * g / np.sqrt((size * g * g).sum()))


def selected(chosen):
    return rule(lambda gradient, w, t: gradient(w + RHO * unit(gradient(w) * chosen)))


def friendly(sigma, lambda_):
    update, m = None, 0
    while True:
        gradient, w = yield update
        g = gradient(w)
        m = lambda_ * m + (1 - lambda_) * g
        update = gradient(w + RHO * unit(g - sigma * m))


def averaged(theta):
    update, d = None, 0
    while True:
        gradient, w = yield update
        d = (1 - theta) * d + theta * gradient(w)
        update = gradient(w + RHO * unit(d))


def momentum(beta):
    update, v = None, 0
    while True:
        gradient, w = yield update
        update = gradient(w - RHO * unit(v + 0 * w))
        v = beta * v + update


def last_step():
    update = None
    while True:
        gradient, w = yield update
        last = 0 * w if update is None else update
        update = gradient(w + RHO * unit(last))


def functional(gradient, w, t):
    return gradient(w + RHO * unit(gradient(w)), error_at=w)


def gsam(alpha):
    def step(gradient, w, t):
        g, s = gradient(w), sam(gradient, w)
        return s - alpha * (g - along(g, s))

    return rule(step)


def weighted(gamma):
    a = gamma / (1 - gamma)
    return rule(lambda gradient, w, t: (1 - a) * gradient(w) + a * sam(gradient, w))


def stable(gradient, w, t):
    return unit(sam(gradient, w)) * norm(gradient(w))


def every(k):
    return rule(lambda gradient, w, t: (gradient if t % k else sam_of(gradient))(w))


def sam_of(gradient):
    return lambda w: sam(gradient, w)


def climb(gradient, w, rows):
    """The gradient of these rows, and s: the whole batch's, where that leads."""
    g = gradient(w, rows)
    return g, gradient(w + RHO * unit(g))


ALL = slice(None)


def look(k, alpha, rows=ALL):
    update, t = None, 0
    while True:
        gradient, w = yield update
        if t % k == 0:
            g, update = climb(gradient, w, rows)
            v = update - along(update, g)
        else:
            update = reused(gradient(w), alpha, v)
        t += 1


def reused(g, alpha, v):
    return g + alpha * norm(g) * unit(v + 0 * g)


def every_by(k, rows):
    def step(gradient, w, t):
        return gradient(w) if t % k else climb(gradient, w, rows)[1]

    return rule(step)


def between(start, end, rows=ALL, alpha=0.0):
    update, t, v = None, 0, 0
    while True:
        gradient, w = yield update
        if start <= t < end:
            g, update = climb(gradient, w, rows)
            v = update - along(update, g)
        else:
            update = reused(gradient(w), alpha, v)
        t += 1


def adaptive_schedule(c, decay, rows=ALL, alpha=0.0):
    update, mean, variance, v = None, 0.0, 0.0, 0
    while True:
        gradient, w = yield update
        g, s = climb(gradient, w, rows)
        square = (g**2).sum()
        mean = decay * mean + (1 - decay) * square
        variance = decay * variance + (1 - decay) * (square - mean) ** 2
        if square >= mean + c * np.sqrt(variance):
            update, v = s, s - along(s, g)
        else:
            update = reused(gradient(w), alpha, v)


def fraction(rows):
    def step(gradient, w, t):
        return gradient(w + RHO * unit(gradient(w, rows)))

    return rule(step)


def flat(tensors):
    return np.concatenate([np.ravel(array(t)) for t in tensors])

"""Norms of all weights together, in float32 or better, at any scale.

Keras's `divide_no_nan`, `minimum` and `maximum` turn float64 into float32 on PyTorch. The
operators of tensors and `where` do not.
"""

import keras
from keras import ops

from keras_sam import _backend


def steepest(gradients, rho, p=2.0):
    """The perturbation of p-norm rho along which a linear function rises the most.

        eps = rho * sign(g) * |g|^(q-1) / (||g||_q^q)^(1/p),  1/p + 1/q = 1

    Args:
        gradients: List of tensors.
        rho: Float or scalar tensor `>= 0`.
        p: Float in `[1, inf]`.

    Returns:
        List of tensors, shapes and dtypes as `gradients`. Zeros where no direction is the
        steepest: where the gradient is not finite, or so small that `rho / ||g||` is not.
    """
    accurate, dtype = _accurate(gradients)
    direction, norm = _euclidean(accurate) if p == 2 else _general(accurate, p)
    factor = _quotient(ops.convert_to_tensor(rho, dtype), norm)
    ok = ops.logical_and(ops.isfinite(norm), ops.isfinite(factor))
    factor = ops.where(ok, factor, ops.zeros_like(factor))
    perturbation = _backend.scaled(direction, factor)
    return [ops.cast(e, g.dtype) for e, g in zip(perturbation, gradients)]


def norm(tensors):
    """The 2-norm, a scalar."""
    scale, scaled = _scaled_norm(_accurate(tensors)[0])
    return scaled / scale


def unit(tensors):
    """The tensors divided by their 2-norm. Zeros stay zeros."""
    accurate, dtype = _accurate(tensors)
    scale, scaled = _scaled_norm(accurate)
    factor = _quotient(ops.ones((), dtype), scaled)
    return _backend.scaled(_backend.scaled(accurate, scale), factor)


def dot(xs, ys):
    """The scalar product, over all tensors together."""
    return sum(_sum(x * y) for x, y in zip(xs, ys))


def accurate(tensors):
    """The dtype in which to compute with these: float32 or better."""
    dtypes = {keras.backend.standardize_dtype(t.dtype) for t in tensors}
    # Keras's `result_type` knows float64 on TensorFlow only.
    return "float64" if "float64" in dtypes else "float32"


def _accurate(tensors):
    dtype = accurate(tensors)
    return [ops.cast(t, dtype) for t in tensors], dtype


def _quotient(x, y):
    """x / y, and 0 where the scalar y is 0."""
    zero = y == 0
    return ops.where(zero, ops.zeros_like(y), x / ops.where(zero, ops.ones_like(y), y))


def _euclidean(gradients):
    scale, norm = _scaled_norm(gradients)
    return _backend.scaled(gradients, scale), norm


def _general(gradients, p):
    """A multiple of the perturbation, and its p-norm."""
    # Not the maximum of |g|, which would be one more copy of the weights.
    sized = [g for g in gradients if 0 not in g.shape]
    extremes = [e for g in sized for e in (ops.max(g), -ops.min(g))]
    largest = ops.max(ops.stack(extremes)) if sized else ops.zeros((), gradients[0].dtype)
    divisor = ops.where(largest == 0, ops.ones_like(largest), largest)
    units = [g / divisor for g in gradients]
    if p == 1:
        # XLA may divide by multiplying, after which no |u| is 1.
        ones = [ops.cast(ops.abs(g) == largest, g.dtype) for g in gradients]
        dual = [ops.sign(g) * one for g, one in zip(gradients, ones)]
    else:
        dual = [ops.sign(u) * ops.abs(u) ** (1 / (p - 1)) for u in units]
    total = dot(dual, units)
    # The total, unlike a maximum under XLA or a power of 0, is NaN where a gradient is.
    return dual, ops.where(ops.isfinite(total), total ** (1 / p), total)


def _scaled_norm(tensors):
    """A scale on which no square overflows or vanishes, and the 2-norm on that scale."""
    total = sum(map(_backend.sum_of_squares, tensors))

    def rescaled():
        # Exact, as a power of 2 is, and so large that no square is beyond the exponents.
        power = 540 if accurate([total]) == "float64" else 80
        scales = [ops.convert_to_tensor(2.0**e, total.dtype) for e in (power, -power)]
        scale = ops.where(total < 1, *scales)
        squares = sum(_backend.sum_of_squares(t * scale) for t in tensors)
        # The root of 0 has no derivative, for which second order would ask.
        root = ops.sqrt(ops.where(squares == 0, ops.ones_like(squares), squares))
        return scale, ops.where(squares == 0, ops.zeros_like(root), root)

    safe = ops.logical_and(ops.isfinite(total), total > 1e-20)
    return _backend.cond(safe, lambda: (ops.ones_like(total), ops.sqrt(total)), rescaled)


def _sum(tensor):
    """Row by row: several times faster on a CPU than over all axes at once."""
    return ops.sum(ops.sum(tensor, axis=0) if len(tensor.shape) > 1 else tensor)

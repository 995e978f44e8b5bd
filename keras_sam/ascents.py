"""Ascents: from the weights and their gradient to a perturbation."""

import numbers

import keras
from keras import ops

from keras_sam import _backend


@keras.saving.register_keras_serializable("keras_sam")
class LpBall:
    """The steepest perturbation in a ball of radius rho in the p-norm.

        eps = rho * sign(g) * |g|^(q-1) / (||g||_q^q)^(1/p),  1/p + 1/q = 1

    It maximizes `<eps, g>` over `||eps||_p <= rho`, the norm being over all weights
    together. For `p=2` it is `rho * g / ||g||_2`, for `p=inf` `rho * sign(g)`, and for
    `p=1` the whole of rho goes to the weight with the largest `|g|` (in equal parts where
    several tie: the formula's limit).

    Norms are taken in float32 or better, and of a gradient brought to another scale where
    a power of it might overflow or vanish. Where the gradient is not finite, or so small
    that `rho / ||g||` is not, no direction is the steepest, and the perturbation is zero:
    the step is then the plain step, which an optimizer with loss scaling skips.

    Args:
        p: Float in `[1, inf]`. The norm of the ball. Defaults to `2`.

    Raises:
        ValueError: if `p` is not a number in `[1, inf]`.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> ascent = keras_sam.ascents.LpBall(p=float("inf"))
    >>> model = keras_sam.SAMModel(inputs, outputs, rho=0.01, ascent=ascent)

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Eq. 2
    """

    def __init__(self, p: float = 2):
        if isinstance(p, bool) or not isinstance(p, numbers.Real) or not p >= 1:
            raise ValueError(f"`p` must be a number in [1, inf]. Received: p={p}")
        self.p = float(p)

    def __call__(self, weights, gradients, rho):
        """The perturbation of each weight.

        Args:
            weights: List of tensors. (Not used by this ascent.)
            gradients: List of tensors, or `None` for a weight that stays as it is.
            rho: Float or scalar tensor `>= 0`. Radius of the ball, in weight units.

        Returns:
            List of tensors, shapes and dtypes as `gradients`; `None` where they are.
        """
        present = [ops.convert_to_tensor(g) for g in gradients if g is not None]
        if not present:
            return gradients
        perturbation = iter(self._perturb(present, rho))
        return [None if g is None else next(perturbation) for g in gradients]

    def _perturb(self, gradients, rho):
        dtypes = [keras.backend.standardize_dtype(g.dtype) for g in gradients]
        # Keras's `result_type` knows float64 on TensorFlow only.
        dtype = "float64" if "float64" in dtypes else "float32"
        direction, norm = self._steepest([ops.cast(g, dtype) for g in gradients])
        factor = ops.divide_no_nan(ops.convert_to_tensor(rho, dtype), norm)
        ok = ops.logical_and(ops.isfinite(norm), ops.isfinite(factor))
        factor = ops.where(ok, factor, ops.zeros_like(factor))
        perturbation = _backend.scaled(direction, factor)
        return [ops.cast(e, t) for e, t in zip(perturbation, dtypes)]

    def _steepest(self, gradients):
        """A multiple of the perturbation, and its p-norm."""
        if self.p == 2:
            scale, norm = _euclidean(gradients)
            return _backend.scaled(gradients, scale), norm
        # Not the maximum of |g|, which would be one more copy of the weights.
        extremes = [e for g in gradients for e in (ops.max(g), -ops.min(g))]
        largest = ops.max(ops.stack(extremes))
        units = [ops.divide_no_nan(g, largest) for g in gradients]
        if self.p == 1:
            # XLA may divide by multiplying, after which no |u| is 1.
            ones = [ops.cast(ops.abs(g) == largest, g.dtype) for g in gradients]
            dual = [ops.sign(g) * one for g, one in zip(gradients, ones)]
        else:
            dual = [ops.sign(u) * ops.abs(u) ** (1 / (self.p - 1)) for u in units]
        total = sum(_sum(d * u) for d, u in zip(dual, units))
        # The total, unlike a maximum under XLA or a power of 0, is NaN where a gradient is.
        return dual, ops.where(ops.isfinite(total), total ** (1 / self.p), total)

    def get_config(self):
        return {"p": self.p}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _euclidean(gradients):
    """A scale on which no square overflows or vanishes, and the 2-norm on that scale."""
    total = sum(map(_backend.sum_of_squares, gradients))

    def rescaled():
        scale = ops.where(total < 1, 2.0**80, 2.0**-80)  # Exact, as a power of 2 is.
        scale = ops.cast(scale, total.dtype)
        squares = [_backend.sum_of_squares(g * scale) for g in gradients]
        return scale, ops.sqrt(sum(squares))

    safe = ops.logical_and(ops.isfinite(total), total > 1e-20)
    return ops.cond(safe, lambda: (ops.ones_like(total), ops.sqrt(total)), rescaled)


def _sum(tensor):
    """Row by row: several times faster on a CPU than over all axes at once."""
    return ops.sum(ops.sum(tensor, axis=0) if len(tensor.shape) > 1 else tensor)

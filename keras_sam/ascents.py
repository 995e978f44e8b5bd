"""Ascents: from the weights and their gradient to a perturbation."""

import numbers

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_sam")
class LpBall:
    """The steepest perturbation in a ball of radius rho in the p-norm.

        eps = rho * sign(g) * |g|^(q-1) / (||g||_q^q)^(1/p),  1/p + 1/q = 1

    It maximizes `<eps, g>` over `||eps||_p <= rho`, the norm being over all weights
    together. For `p=2` it is `rho * g / ||g||_2`, for `p=inf` `rho * sign(g)`, and for
    `p=1` the whole of rho goes to the weight with the largest `|g|` (in equal parts where
    several tie: the formula's limit).

    Norms are taken in float32 or better, and of the gradient divided by its largest `|g|`
    where a power of it might overflow or vanish. Where the gradient is zero or not finite
    no direction is the steepest, and the perturbation is zero: the step is then the plain
    step, which an optimizer with loss scaling skips.

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
        gradients = [ops.cast(g, dtype) for g in gradients]
        largest, total = self._measure(gradients)
        dual = [self._dual(g, largest) for g in gradients]
        divisor = ops.divide_no_nan(
            total ** (1 / self.p), ops.convert_to_tensor(rho, dtype)
        )
        # The total, unlike a maximum under XLA, is NaN wherever a gradient is.
        divisor = ops.where(ops.isfinite(total), divisor, ops.zeros_like(divisor))
        return [ops.cast(ops.divide_no_nan(d, divisor), t) for d, t in zip(dual, dtypes)]

    def _measure(self, gradients):
        """A divisor u for the gradients, and the sum of |g/u|^q.

        The divisor is the largest |g|, or 1 if the sum of squares is safe as it is: two
        reductions less.
        """

        def relative_to_largest():
            # Not the maximum of |g|, which would be one more copy of the weights.
            extremes = [e for g in gradients for e in (ops.max(g), -ops.min(g))]
            largest = ops.max(ops.stack(extremes))
            units = [(g, ops.divide_no_nan(g, largest)) for g in gradients]
            return largest, sum(_sum(self._dual(g, largest) * u) for g, u in units)

        if self.p != 2:
            return relative_to_largest()
        total = sum(_sum(ops.square(g)) for g in gradients)
        safe = ops.logical_and(ops.isfinite(total), total > 1e-20)
        return ops.cond(safe, lambda: (ops.ones_like(total), total), relative_to_largest)

    def _dual(self, gradient, divisor):
        """sign(u) |u|^(q-1), for the unit u = g / divisor."""
        if self.p == 1:
            # XLA may divide by multiplying, after which no |u| is 1.
            is_largest = ops.cast(ops.abs(gradient) == divisor, gradient.dtype)
            return ops.sign(gradient) * is_largest
        unit = ops.divide_no_nan(gradient, divisor)
        if self.p == 2:
            return unit
        return ops.sign(unit) * ops.abs(unit) ** (1 / (self.p - 1))

    def get_config(self):
        return {"p": self.p}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _sum(tensor):
    """Row by row: several times faster on a CPU than over all axes at once."""
    return ops.sum(ops.sum(tensor, axis=0) if len(tensor.shape) > 1 else tensor)

"""The ball of a p-norm, climbed in one step or in several."""

import keras
from keras import ops

from keras_sam.ascents.ascent import Ascent
from keras_sam.ascents.selection import Variables
from keras_sam.norms import steepest
from keras_sam.validation import as_float, count, is_real


@keras.saving.register_keras_serializable("keras_sam")
class LpBall(Ascent):
    """The steepest perturbation in a ball of radius rho in the p-norm.

        eps = rho * sign(g) * |g|^(q-1) / (||g||_q^q)^(1/p),  1/p + 1/q = 1

    It maximizes `<eps, g>` over `||eps||_p <= rho`, the norm being over all weights
    together. For `p=2` it is `rho * g / ||g||_2`, for `p=inf` `rho * sign(g)`, and for
    `p=1` the whole of rho goes to the weight with the largest `|g|` (in equal parts where
    several tie: the formula's limit).

    With several steps it is projected gradient ascent: from each perturbation, another of
    the same size is taken up the gradient found there, and what lies outside the ball then
    is brought back to the nearest point in it. (The paper does not give the size of a
    step.) Each costs a pass.

        eps <- project(eps + rho * g(w + eps) / ||g(w + eps)||_2)

    Norms are taken in float32 or better, and of a gradient brought to another scale where
    a power of it might overflow or vanish. Where the gradient is not finite, or so small
    that `rho / ||g||` is not, no direction is the steepest, and the perturbation is zero:
    the step is then the plain step, which an optimizer with loss scaling skips.

    Args:
        p: Float in `[1, inf]`. The norm of the ball. Defaults to `2`.
        steps: Integer `> 0`. More than one for `p=2` and `p=inf` only. Defaults to `1`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Raises:
        ValueError: if `p` is not a number in `[1, inf]`, or `steps` not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> ascent = keras_sam.ascents.LpBall(p=float("inf"))
    >>> model = keras_sam.SAMModel(inputs, outputs, rho=0.01, ascent=ascent)

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Eq. 2, and C.6 for
          several steps
    """

    def __init__(self, p: float = 2, steps: int = 1, variables: Variables | None = None):
        super().__init__(variables)
        if not is_real(p) or not p >= 1:
            raise ValueError(f"`p` must be a number in [1, inf]. Received: p={p}")
        self.p = as_float(p)
        self.steps = count("steps", steps)
        if steps > 1 and self.p not in (2, float("inf")):
            raise ValueError(
                "`steps` above 1 need `p=2` or `p=inf`, to whose balls a perturbation is "
                f"easily projected. Received: steps={steps}, p={p}"
            )

    def __call__(self, weights, gradients, rho):
        return steepest(gradients, rho, self.p)

    def project(self, perturbation, rho):
        if self.p == 2:
            return super().project(perturbation, rho)
        return [ops.clip(e, -rho, rho) for e in perturbation]

    def get_config(self):
        return {"p": self.p, "steps": self.steps, **super().get_config()}

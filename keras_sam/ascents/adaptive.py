"""ASAM: a ball whose size follows each weight's."""

import keras
from keras import ops

from keras_sam.ascents.metric import Metric
from keras_sam.ascents.selection import Variables
from keras_sam.validation import number


@keras.saving.register_keras_serializable("keras_sam")
class Adaptive(Metric):
    """Adaptive sharpness-aware minimization (ASAM).

        eps = rho * T^2 g / ||T g||_2    for p = 2
        eps = rho * T sign(g)            for p = inf

    where T is `|w| + eta` for kernels (variables with "kernel" in their name) and 1 for
    other weights. Without eta, the loss at w + eps stays what it is where one layer is
    scaled up and the next one down, so that the network does the same.

    Args:
        p: `2` or `inf`. The norm of the ball. Defaults to `2`.
        eta: Float `>= 0`, in weight units. Lets weights near 0 move. Defaults to `0.01`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Raises:
        ValueError: if `p` or `eta` is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> ascent = keras_sam.ascents.Adaptive()
    >>> model = keras_sam.SAMModel(inputs, outputs, rho=0.5, ascent=ascent)

    Reference:
        - [Kwon et al., 2021](https://arxiv.org/abs/2102.11600); its rho is 0.5 to 1
    """

    def __init__(self, p: float = 2, eta: float = 0.01, variables: Variables | None = None):
        super().__init__(variables)
        if p not in (2, float("inf")):
            raise ValueError(f"`p` must be 2 or inf. Received: p={p}")
        self.p = float(p)
        self.eta = number("eta", eta, 0)

    def build(self, variables):
        self.kernels = ["kernel" in variable.name for variable in variables]

    def scale(self, weights, memory):
        return [
            ops.abs(w) + self.eta if kernel else None
            for w, kernel in zip(weights, self.kernels)
        ]

    def perturb(self, weights, gradients, rho, memory):
        # T depends on the weights alone: a subclass may remember, and define `__call__`.
        return self(weights, gradients, rho)

    def get_config(self):
        return {"p": self.p, "eta": self.eta, **super().get_config()}

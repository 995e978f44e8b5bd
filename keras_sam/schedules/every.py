"""Climbing on one step in k, with and without LookSAM's use of it on the others."""

import keras
from keras import ops

from keras_sam.descents import orthogonal
from keras_sam.norms import norm, unit
from keras_sam.schedules.schedule import Schedule
from keras_sam.validation import count, number


@keras.saving.register_keras_serializable("keras_sam")
class Every(Schedule):
    """Climbs on one step in k, the first among them.

    With `reuse` (LookSAM), that step keeps what is orthogonal to g of the gradient s at
    w + eps, and the steps after it add as much of it to theirs:

        v = s - <s, g> g / ||g||_2^2
        g + reuse * ||g||_2 / ||v||_2 * v

    Args:
        k: Integer `> 0`. Defaults to `5`.
        reuse: Float `>= 0`, LookSAM's alpha, or `None` for plain steps in between.
            Defaults to `None`.

    Raises:
        ValueError: if an argument is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> look = keras_sam.schedules.Every(5, reuse=0.7)
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=look)

    Reference:
        - [Liu et al., 2022](https://arxiv.org/abs/2203.02714)
    """

    def __init__(self, k: int = 5, reuse: float | None = None):
        self.k = count("k", k)
        self.reuse = reuse if reuse is None else number("reuse", reuse, 0)
        self.needs_gradient = self.reuses = reuse is not None

    def init(self, weights):
        return [ops.zeros_like(w) for w in weights] if self.reuses else []

    def climbs(self, time, gradients, memory):
        return True if self.k == 1 else time.iteration % self.k == 0, memory

    def climbed(self, gradients, perturbed, memory):
        return orthogonal(perturbed, gradients) if self.reuses else memory

    def stay(self, gradients, memory):
        if not self.reuses:
            return gradients
        length = self.reuse * norm(gradients)
        directions = zip(gradients, unit(memory))
        return [g + ops.cast(length * d, g.dtype) for g, d in directions]

    def get_config(self):
        return {"k": self.k, "reuse": self.reuse}

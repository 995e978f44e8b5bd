"""Climbing on one step in k."""

import keras

from keras_sam.schedules.schedule import Schedule
from keras_sam.validation import count


@keras.saving.register_keras_serializable("keras_sam")
class Every(Schedule):
    """Climbs on one step in k, the first among them.

    With `reuse`, the others add what the last of these steps has found: LookSAM. The
    formulas are those of `keras_sam.schedules.Schedule`.

    Args:
        k: Integer `> 0`. Defaults to `5`.
        reuse: Float `>= 0`, LookSAM's alpha, or `None` for plain steps in between.
            Defaults to `None`.
        fraction: Float in `(0, 1]`. The part of the examples that gives the perturbation.
            Defaults to `1.0`.

    Raises:
        ValueError: if an argument is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> look = keras_sam.schedules.Every(2, reuse=0.7, fraction=0.125)
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=look)

    Reference:
        - [Liu et al., 2022](https://arxiv.org/abs/2203.02714)
    """

    def __init__(self, k: int = 5, reuse: float | None = None, *, fraction: float = 1.0):
        super().__init__(fraction, reuse)
        self.k = count("k", k)

    def climbs(self, time, gradients, memory):
        return True if self.k == 1 else time.iteration % self.k == 0, memory

    def get_config(self):
        return {"k": self.k, "reuse": self.reuse} | super().get_config()

"""Climbing late, or only at first."""

import keras
from keras import ops

from keras_sam.schedules.schedule import Schedule
from keras_sam.validation import count


@keras.saving.register_keras_serializable("keras_sam")
class Between(Schedule):
    """Climbs from one step or epoch on, and up to another: late, or only at first.

    Args:
        start: Integer `>= 0`. The first step or epoch that climbs. Defaults to `0`.
        end: Integer, the first that does not climb any more, or `None` for never.
            Defaults to `None`.
        unit: `"steps"`, of the optimizer, or `"epochs"`, of `fit` (elsewhere it is always
            epoch 0). Defaults to `"steps"`.
        fraction: Float in `(0, 1]`. The part of the examples that gives the perturbation.
            Defaults to `1.0`.
        reuse: Float `>= 0`, with which LookSAM's steps are in between, or `None` for plain
            ones. Defaults to `None`.

    Raises:
        ValueError: if an argument is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> late = keras_sam.schedules.Between(start=175, unit="epochs")
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=late)

    Reference:
        - [Zhou et al., 2024](https://arxiv.org/abs/2410.10373), for the last epochs
    """

    def __init__(
        self,
        start: int = 0,
        end: int | None = None,
        unit: str = "steps",
        *,
        fraction: float = 1.0,
        reuse: float | None = None,
    ):
        super().__init__(fraction, reuse)
        self.start = count("start", start, 0)
        self.end = end if end is None else count("end", end, self.start)
        if unit not in ("steps", "epochs"):
            raise ValueError(f'`unit` must be "steps" or "epochs". Received: unit={unit}')
        self.unit = unit

    def climbs(self, time, gradients, memory):
        now = time.epoch if self.unit == "epochs" else time.iteration
        if self.end is None:
            return now >= self.start, memory
        return ops.logical_and(now >= self.start, now < self.end), memory

    def get_config(self):
        own = {"start": self.start, "end": self.end, "unit": self.unit}
        return own | super().get_config()

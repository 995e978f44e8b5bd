"""Climbing by a fraction of the batch."""

import keras

from keras_sam.schedules.schedule import Schedule


@keras.saving.register_keras_serializable("keras_sam")
class Fraction(Schedule):
    """Climbs on every step, by the gradient of a fraction of the batch.

    The name of `Schedule(fraction=fraction)`, which says what that is. The gradient of a
    quarter of the examples costs a quarter of a pass.

    Args:
        fraction: Float in `(0, 1]`. The part of the examples that gives the perturbation.
            Defaults to `0.25`.
        reuse: As of `Schedule`. Without another schedule no step is in between. Defaults
            to `None`.

    Raises:
        ValueError: if an argument is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> quarter = keras_sam.schedules.Fraction(0.25)
    >>> model = keras_sam.SAMModel(inputs, outputs, schedule=quarter)

    Reference:
        - [Bahri et al., 2021](https://arxiv.org/abs/2110.08529)
    """

    def __init__(self, fraction: float = 0.25, reuse: float | None = None):
        super().__init__(fraction, reuse)

    def get_config(self):
        return super().get_config() | {"fraction": self.fraction}

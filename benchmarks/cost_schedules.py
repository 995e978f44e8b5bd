"""Schedules that are tried in `cost_of_generalization.py`: of climbing, and of the rate."""

import keras
from keras import ops

from keras_sam import schedules
from keras_sam.norms import norm


class Counted(schedules.Adaptive):
    """AE-SAM from an epoch on, which remembers in the end how many steps have climbed."""

    def __init__(self, c, start=0, **kwargs):
        super().__init__(c, **kwargs)
        self.start = start

    def init(self, weights):
        return [*super().init(weights), ops.zeros((), "float32")]

    def climbs(self, time, gradients, memory):
        *own, count = memory
        climbs, own = super().climbs(time, gradients, own)
        climbs = ops.logical_and(climbs, time.epoch >= self.start)
        return climbs, [*own, count + ops.cast(climbs, count.dtype)]


class ByLastStep(Counted):
    """AE-SAM, but it decides by the gradient of the step before, which costs nothing.

    So it can climb by a fraction of the batch, and on that alone where it climbs. Of a step
    that has climbed the gradient is that at w + eps.
    """

    needs_gradient, reuses = False, True

    def init(self, weights):
        return [ops.zeros((), "float32"), *super().init(weights)]

    def climbs(self, time, gradients, memory):
        square, mean, variance, count = memory
        climbs = square >= mean + self.c * ops.sqrt(variance)
        return climbs, [square, mean, variance, count + ops.cast(climbs, count.dtype)]

    def climbed(self, gradients, perturbed, memory):
        return self.stayed(perturbed, memory)

    def stayed(self, gradients, memory):
        _, mean, variance, count = memory
        square = ops.cast(norm(gradients), mean.dtype) ** 2
        mean = self.decay * mean + (1 - self.decay) * square
        variance = self.decay * variance + (1 - self.decay) * (square - mean) ** 2
        return [square, mean, variance, count]


class BetweenEvery(schedules.Between):
    """Climbs every second step from the epoch on."""

    def climbs(self, time, gradients, memory):
        climbs, memory = super().climbs(time, gradients, memory)
        return ops.logical_and(climbs, time.iteration % 2 == 0), memory


class Stable(keras.optimizers.schedules.LearningRateSchedule):
    """Warm-up-stable-decay, without the warm-up."""

    def __init__(self, rate, steps):
        self.rate, self.steps = rate, steps

    def __call__(self, step):
        left = 1 - ops.cast(step, "float32") / self.steps
        return self.rate * ops.minimum(left / 0.15, 1.0)

    def get_config(self):
        return {"rate": self.rate, "steps": self.steps}

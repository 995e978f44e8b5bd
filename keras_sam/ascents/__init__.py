"""Ascents: from the weights and their gradient to a perturbation."""

from keras_sam.ascents.adaptive import Adaptive
from keras_sam.ascents.ascent import Ascent
from keras_sam.ascents.averages import Averaged, Friendly
from keras_sam.ascents.layerwise import Layerwise
from keras_sam.ascents.lp_ball import LpBall
from keras_sam.ascents.metric import Metric
from keras_sam.ascents.past import LastStep, Momentum
from keras_sam.ascents.preconditioned import Preconditioned
from keras_sam.ascents.random_direction import RandomDirection

__all__ = [
    "Adaptive",
    "Ascent",
    "Averaged",
    "Friendly",
    "LastStep",
    "Layerwise",
    "LpBall",
    "Metric",
    "Momentum",
    "Preconditioned",
    "RandomDirection",
]


def __dir__():
    return __all__

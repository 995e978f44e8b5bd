"""Schedules: on which steps to climb, on how much data, and rho over time."""

from keras_sam.schedules.adaptive import Adaptive
from keras_sam.schedules.between import Between
from keras_sam.schedules.every import Every
from keras_sam.schedules.fraction import Fraction
from keras_sam.schedules.rho import RhoByLearningRate
from keras_sam.schedules.schedule import Schedule

__all__ = [
    "Adaptive",
    "Between",
    "Every",
    "Fraction",
    "RhoByLearningRate",
    "Schedule",
]


def __dir__():
    return __all__

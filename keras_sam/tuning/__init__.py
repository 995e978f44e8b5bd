"""Choosing rho, m and the learning rate, by validation data."""

from keras_sam.tuning.result import Search, Trial
from keras_sam.tuning.search import RHOS, search

__all__ = ["RHOS", "Search", "Trial", "search"]


def __dir__():
    return __all__

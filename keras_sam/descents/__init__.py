"""Descents: from the gradients at w and at w + eps to the one that the optimizer gets."""

from keras_sam.descents.combinations import GSAM, Stable, Weighted
from keras_sam.descents.descent import Descent, Perturbed
from keras_sam.descents.functional import Functional

__all__ = ["GSAM", "Descent", "Functional", "Perturbed", "Stable", "Weighted"]


def __dir__():
    return __all__

"""Sharpness-aware minimization (SAM) for Keras 3."""

# The backend comes first: it says what is missing.
from keras_sam import (  # noqa: F401
    _backend,
    analysis,
    ascents,
    callbacks,
    descents,
    methods,
    schedules,
    tuning,
)
from keras_sam._step.ascent_pass import in_ascent_pass
from keras_sam._step.predictions import predictions
from keras_sam.loops import value_and_grad
from keras_sam.sam_model import SAMModel
from keras_sam.sharpness_aware import SharpnessAware

__version__ = "0.1.0"

__all__ = [
    "SAMModel",
    "SharpnessAware",
    "__version__",
    "analysis",
    "ascents",
    "callbacks",
    "descents",
    "in_ascent_pass",
    "methods",
    "predictions",
    "schedules",
    "tuning",
    "value_and_grad",
]


def __dir__():
    return __all__

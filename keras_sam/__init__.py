"""Sharpness-aware minimization (SAM) for Keras 3."""

from keras_sam import _backend, ascents  # noqa: F401, the backend says what is missing
from keras_sam.sam_model import SAMModel
from keras_sam.sharpness_aware import SharpnessAware

__version__ = "0.1.0"

__all__ = ["SAMModel", "SharpnessAware", "__version__", "ascents"]

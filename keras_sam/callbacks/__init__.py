"""What watches the training of any Keras model, and what keeps it from being lost."""

from keras_sam.callbacks.backup_and_restore import BackupAndRestore
from keras_sam.callbacks.sharpness_monitor import SharpnessMonitor

__all__ = ["BackupAndRestore", "SharpnessMonitor"]


def __dir__():
    return __all__

"""Resuming a run where it was interrupted."""

from pathlib import Path

import keras
import numpy as np


class Checkpoint(keras.callbacks.Callback):
    """Saves the weights, the optimizer's state and what SAM remembers after each epoch.

    The file is replaced at once, so that an interruption leaves a whole one.

    Args:
        file: Where to. It ends in ".weights.h5".
    """

    def __init__(self, file):
        super().__init__()
        self.file = Path(file)

    def on_epoch_end(self, epoch, logs=None):
        self.file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.file.with_name(f"unfinished_{self.file.name}")
        self.model.save_weights(unfinished, overwrite=True)
        unfinished.replace(self.file)


class SeedsOfEpoch(keras.callbacks.Callback):
    """Makes the random numbers of the layers a function of the epoch.

    Keras saves no seeds. So what a resumed run draws would be what its first epoch drew.
    """

    def on_epoch_begin(self, epoch, logs=None):
        for variable in self.model.variables:
            if variable.name == "seed_generator_state":  # The seed, and a counter.
                seed, _ = keras.ops.convert_to_numpy(variable)
                variable.assign(np.array([seed, epoch << 20], variable.dtype))


def resume(model, file, steps):
    """Loads what a `Checkpoint` saved, if it did.

    Args:
        model: A compiled model.
        file: That of the `Checkpoint`.
        steps: Integer, those of an epoch.

    Returns:
        The number of epochs that are done.
    """
    if not Path(file).exists():
        return 0
    load(model, file)
    return int(model.optimizer.iterations) // steps


def load(model, file):
    """Loads the weights, and all else that a `Checkpoint` saved of a model's training."""
    model.optimizer.build(model.trainable_variables)
    model.load_weights(file)

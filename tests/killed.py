"""A training that can be killed at any moment and begun again: `python -m tests.killed`.

    python -m tests.killed NAME FOLDER

It trains the model of that name with `BackupAndRestore`, and leaves its state in
FOLDER/state.npz once it is done.
"""

import contextlib
import sys
from pathlib import Path

import keras
import numpy as np

import keras_sam
from keras_sam import ascents, schedules
from tests.helpers import BACKEND, array

RULES = {
    "remembers": {"ascent": ascents.Averaged(0.25)},
    "look": {"schedule": schedules.Every(3, reuse=0.7)},
    "ae": {"schedule": schedules.Adaptive(0.5)},
    "rho": {"rho": schedules.RhoByLearningRate(0.1, 0.4, lr_max=0.1)},
}
EPOCHS, BATCH, N = 8, 16, 320


def many():
    """Two devices, where Keras trains on them."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * 2,
        )
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()
    devices = keras.distribution.list_devices()[:2]
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return contextlib.nullcontext()


def make(rules):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((16,))
    x = keras.layers.Dense(64, "relu")(inputs)
    x = keras.layers.BatchNormalization()(keras.layers.Dropout(0.3)(x))
    model = keras_sam.SAMModel(
        inputs, keras.layers.Dense(3)(x), **{"rho": 0.2, **RULES[rules]}
    )
    rate = keras.optimizers.schedules.CosineDecay(0.1, EPOCHS * N // BATCH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss)
    return model


class Begun(keras.callbacks.Callback):
    """Tells that the first step of this process is done."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_batch_end(self, batch, logs=None):
        self.path.touch()


def train(name, folder):
    rules, _, devices = name.partition("-")
    with many() if devices else contextlib.nullcontext():
        model = make(rules)
        rng = np.random.default_rng(0)
        x = rng.normal(size=(N, 16)).astype("float32")
        y = rng.integers(0, 3, N)
        callbacks = [
            keras_sam.callbacks.BackupAndRestore(folder / "backup"),
            keras.callbacks.ModelCheckpoint(folder / "model.keras"),
            Begun(folder / "begun"),
        ]
        model.fit(
            x,
            y,
            batch_size=BATCH,
            epochs=EPOCHS,
            shuffle=BACKEND != "tensorflow",
            callbacks=callbacks,
            verbose=0,
        )
    variables = [*model.weights, *model._sharpness_aware.memory.all]
    state = [array(v) for v in [*variables, *model.optimizer.variables]]
    np.savez(folder / "state.npz", *state)


if __name__ == "__main__":
    train(sys.argv[1], Path(sys.argv[2]))

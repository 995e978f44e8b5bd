"""A run that was killed goes on from Keras's checkpoints as if it had not been."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, schedules
from tests.helpers import BACKEND, array, assert_identical
from tests.models import classify, rows

FIT = {"batch_size": 8, "shuffle": False, "verbose": 0}
PARTS = {"ascent": ascents.Averaged(0.25), "schedule": schedules.Adaptive(0.5)}


class Killed(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def make(rate=0.5, seed=None, cls=keras_sam.SAMModel):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8,))
    x = keras.layers.Dense(4)(inputs)
    x = keras.layers.Dropout(rate, seed=seed)(x)
    outputs = keras.layers.Dense(3)(x)
    rules = {} if cls is keras.Model else {"rho": 0.2, **PARTS}
    model = cls(inputs, outputs, **rules)
    return classify(model, "adam", jit_compile=BACKEND == "jax")


def uninterrupted(**kwargs):
    model = make(**kwargs)
    model.fit(*rows(), epochs=3, **FIT)
    return model


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    if isinstance(model, keras_sam.SAMModel):
        variables += model._sharpness_aware.memory.all
    return [array(v) for v in variables]


SEEDS = [
    pytest.param(
        None,
        marks=pytest.mark.skipif(
            BACKEND == "torch", reason="Keras draws from PyTorch's own generator there."
        ),
    ),
    7,
]


@pytest.mark.parametrize("seed", SEEDS)
def test_from_a_model_checkpoint(seed, tmp_path):
    """With dropout: a `.keras` file has the seeds."""
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    with pytest.raises(KeyboardInterrupt):
        make(seed=seed).fit(*rows(), epochs=3, **FIT, callbacks=[checkpoint, Killed()])
    keras.utils.set_random_seed(4)
    resumed = keras.models.load_model(tmp_path / "model.keras")
    resumed.fit(*rows(), epochs=3, initial_epoch=2, **FIT)
    assert_identical(state(resumed), state(uninterrupted(seed=seed)))


def test_from_a_backup_of_keras(tmp_path):
    """Without dropout: a file of weights, as `BackupAndRestore` writes, has no seeds."""

    def fit(model, *callbacks):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        model.fit(*rows(), epochs=3, **FIT, callbacks=[backup, *callbacks])
        return model

    with pytest.raises(KeyboardInterrupt):
        fit(make(rate=0), Killed())
    resumed = fit(make(rate=0))
    assert_identical(state(resumed), state(uninterrupted(rate=0)))


# The order of TensorFlow's shuffled arrays cannot be set back.
SHUFFLED = {"shuffle": BACKEND != "tensorflow"}


@pytest.mark.parametrize("cls", [keras_sam.SAMModel, keras.Model])
def test_from_a_backup(cls, tmp_path):
    """With dropout and shuffled arrays, after other numbers have been drawn."""

    def fit(*callbacks, drawn=0):
        model = make(cls=cls)
        np.random.rand(drawn)
        backup = keras_sam.callbacks.BackupAndRestore(tmp_path / "backup")
        callbacks = [backup, *callbacks]
        model.fit(*rows(), epochs=3, **{**FIT, **SHUFFLED}, callbacks=callbacks)
        return model

    whole = fit()
    assert not (tmp_path / "backup").exists()
    with pytest.raises(KeyboardInterrupt):
        fit(Killed())
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["epoch_2"]
    assert_identical(state(fit(drawn=5)), state(whole))


@pytest.mark.parametrize("whole", [0, 1])
def test_a_backup_that_was_not_finished_does_not_count(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    backup = keras_sam.callbacks.BackupAndRestore("backup")

    def fit(*callbacks):
        model = make()
        callbacks = [backup, *callbacks]
        model.fit(*rows(), epochs=3, **FIT, callbacks=callbacks)
        return model

    def half(filepath, **kwargs):
        Path(filepath).write_bytes(b"half of it")
        raise KeyboardInterrupt

    class Save(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == whole:
                self.model.save_weights = half

    with pytest.raises(KeyboardInterrupt):
        fit(Save())
    names = sorted(path.name for path in (tmp_path / "backup").iterdir())
    assert names == ["epoch_1"] * whole + ["new"]
    assert_identical(state(fit()), state(uninterrupted()))


def test_a_file_of_weights_leaves_the_seeds_alone(tmp_path):
    """As a plain model's: or runs with different seeds would go on with the same masks."""
    model = uninterrupted(seed=7)
    model.save_weights(tmp_path / "its.weights.h5")
    other = make(seed=8)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "its.weights.h5")
    (seed,) = [array(v) for v in other.variables if "seed" in v.path]
    np.testing.assert_array_equal(seed, [8, 0])

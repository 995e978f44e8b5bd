"""Training that goes on after an interruption as if there had been none."""

import json
import shutil
from pathlib import Path

import keras

from keras_sam import _backend
from keras_sam._model import seeds

NEW, OLD, WHOLE, GENERATORS = "new", "old", "epoch_", "generators.json"


class BackupAndRestore(keras.callbacks.Callback):
    """Backs up training at the end of each epoch, and goes on where a backup ends.

    As `keras.callbacks.BackupAndRestore`, by which it writes and reads the weights, and
    whose model has to be built. It keeps what is missing there, too: the seeds of the
    layers, by which dropout draws, and the generators of Python, NumPy, Keras and PyTorch,
    by which `fit` shuffles arrays on JAX and PyTorch. So the resumed run has the weights of
    the uninterrupted one. A backup counts only once all of it is written: a process that is
    killed while it writes goes on from the backup before.

    On TensorFlow `fit` shuffles arrays by a generator that cannot be set back: there, use
    `shuffle=False`, or a dataset whose order is a function of the epoch. What other
    callbacks remember (`EarlyStopping`, `ReduceLROnPlateau`) is in no backup.

    Args:
        backup_dir: String or path of a folder for the backups alone.
        delete_checkpoint: Bool, whether to delete it once the training has come to its end.
            Defaults to `True`.

    Raises:
        ValueError: in training, if the model is not built, or is another than the backup's.

    Example:

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    >>> model = keras_sam.SAMModel.from_model(model)
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((32, 8)), np.ones((32, 1))
    >>> backup = keras_sam.callbacks.BackupAndRestore("backup")
    >>> history = model.fit(x, y, epochs=3, callbacks=[backup], verbose=0)
    """

    def __init__(self, backup_dir, *, delete_checkpoint: bool = True):
        super().__init__()
        self.folder = Path(backup_dir)
        self.delete_checkpoint = delete_checkpoint

    def on_train_begin(self, logs=None):
        self._remove(self.folder / NEW)  # What a process left that was killed.
        *_, newest = None, *self._backups()
        self._of_keras(newest or self.folder / NEW).on_train_begin()
        if newest is not None:
            seeds.load(self.model, newest)
            states = (newest / GENERATORS).read_text(encoding="utf-8")
            _backend.set_generator_states(json.loads(states))

    def on_epoch_end(self, epoch, logs=None):
        before, new = self._backups(), self.folder / NEW
        self._of_keras(new).on_epoch_end(epoch)
        seeds.save(self.model, new)
        states = json.dumps(_backend.generator_states())
        (new / GENERATORS).write_text(states, encoding="utf-8")
        new.rename(self.folder / f"{WHOLE}{epoch + 1}")
        self._remove(*before)

    def on_train_end(self, logs=None):
        if self.delete_checkpoint and self.folder.exists():
            self._remove(*self._backups())
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _backups(self):
        """The folders that are whole, the newest last."""
        found = self.folder.glob(f"{WHOLE}*")
        return sorted(found, key=lambda path: int(path.name.removeprefix(WHOLE)))

    def _of_keras(self, folder):
        callback = keras.callbacks.BackupAndRestore(str(folder), delete_checkpoint=False)
        callback.set_model(self.model)
        return callback

    def _remove(self, *folders):
        """None is left half of it under its name, by which it would count as whole."""
        old = self.folder / OLD
        shutil.rmtree(old, ignore_errors=True)
        for folder in folders:
            if folder.exists():
                folder.rename(old)
                shutil.rmtree(old)

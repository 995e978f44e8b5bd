"""What a model is told, and its user warned of, at the begin and the end of epochs."""

import warnings

import keras

from keras_sam import _backend
from keras_sam._backend import keras_trainer
from keras_sam._model.advice import Advice


def warn_of_plain_training(model, state, training):
    """Where a plain model trains a sharpness-aware one as one of its layers.

    Args:
        model: The sharpness-aware model, which is being called.
        state: Its `State`.
        training: The argument `training` of the call, or `None`.
    """
    weights = model.trainable_variables
    if "plain" in state.warned or state.stepping:
        return
    if not weights or not _backend.records(weights):
        return
    outer = keras_trainer.training_model(training)
    if outer is None or outer is model or hasattr(outer, "_sharpness_aware"):
        return
    state.warned.add("plain")
    warnings.warn(
        f"A plain model has the sharpness-aware `{model.name}` as a layer, and trains its "
        "weights plainly. Make the whole sharpness-aware: "
        "`keras_sam.SAMModel.from_model(...)`; or, where only the rest is to be trained, "
        f"set `{model.name}.trainable = False`. Received: {outer}",
        stacklevel=3,
    )


class Watch(keras.callbacks.Callback):
    """Among the callbacks of each `fit`, and the first of them.

    Args:
        sharpness_aware: The model.
    """

    def __init__(self, sharpness_aware):
        super().__init__()
        self.sharpness_aware = sharpness_aware
        self.advice = Advice()
        self.rho_at_first = None

    @property
    def state(self):
        return self.sharpness_aware._sharpness_aware

    def on_train_begin(self, logs=None):
        self.state.rho_was_set = False
        self.rho_at_first = self.sharpness_aware.rho

    def on_epoch_begin(self, epoch, logs=None):
        self.sharpness_aware._see_epoch(epoch)

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            return
        if not self.state.taken:
            _warn_of_another_step(type(self.sharpness_aware))
        self._advise(logs)
        if self.state.rho is None or self.state.rho_was_set:
            self._show_rho(logs)

    def _show_rho(self, logs):
        """As Keras's callbacks for learning rates do. Epochs before had the first one."""
        logs["rho"] = self.sharpness_aware._current_rho()
        history = self.sharpness_aware.history.history
        missing = len(history.get("loss", [])) - len(history.get("rho", []))
        if missing and isinstance(self.rho_at_first, float):
            history["rho"] = [self.rho_at_first] * missing

    def _advise(self, logs):
        """Of each kind once: the next epochs would say the same."""
        for name, words in self.advice.of(logs, self.sharpness_aware).items():
            if name not in self.state.warned:
                self.state.warned.add(name)
                warnings.warn(words, stacklevel=2)


def _warn_of_another_step(cls):
    warnings.warn(
        f"`fit` of `{cls.__name__}` took no sharpness-aware step. A `train_step` of its "
        "own has to end in `return super().train_step(data)`; or move what it does to "
        "`compute_loss` or `compute_metrics`.",
        stacklevel=2,
    )

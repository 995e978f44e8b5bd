"""What one sees of a sharpness-aware model: its name, its summary, its logs."""

import inspect

import keras

from keras_sam._backend import keras_trainer
from keras_sam._model.like import like


class Shown:
    """The entry `sharpness` in the logs of training, and the settings where one looks."""

    def __repr__(self):
        text = super().__repr__()
        state = getattr(self, "_sharpness_aware", None)
        return f"{text[:-1]}, {state.settings}>" if state else text

    @like(keras.Model.summary)
    def summary(self, *args, **kwargs):
        super().summary(*args, **kwargs)
        bound = inspect.signature(keras.Model.summary).bind(self, *args, **kwargs)
        show = bound.arguments.get("print_fn") or print
        show(f" Sharpness-aware training: {self._sharpness_aware.settings}")

    @property
    def metrics(self):
        metrics = super().metrics
        state = getattr(self, "_sharpness_aware", None)
        if state is None or state.evaluating or not state.settings.shows_sharpness:
            return metrics
        if self.compiled:
            metrics = [*metrics, state.sharpness, *state.curvature]
        return metrics

    @property
    def metrics_names(self):
        """The names of what `evaluate` returns."""
        with self._sharpness_aware.evaluation():
            return super().metrics_names

    @like(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        with self._sharpness_aware.evaluation():
            return super().evaluate(*args, **kwargs)

    @like(keras.Model.test_on_batch)
    def test_on_batch(self, *args, **kwargs):
        with self._sharpness_aware.evaluation():
            return super().test_on_batch(*args, **kwargs)

    @like(keras.Model.train_on_batch)
    def train_on_batch(
        self, x, y=None, sample_weight=None, class_weight=None, return_dict=False
    ):
        logs = super().train_on_batch(x, y, sample_weight, class_weight, True)
        if return_dict:
            return logs
        # A list has to stay the plain model's: code unpacks it by position.
        state = self._sharpness_aware
        for metric in (state.sharpness, *state.curvature):
            logs.pop(metric.name, None)
        return keras_trainer.flatten_logs(self, logs)

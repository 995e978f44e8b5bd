"""What Keras's `fit` on JAX lacks for a sharpness-aware step."""

import warnings

import jax
import keras

from keras_sam._backend import fit
from keras_sam._backend.interrupts import held_back


class Fit(fit.Fit):
    """Keras's trainer, whose compiled step also reads the model's state."""

    @property
    def non_trainable_variables(self):
        """With the radius: what a compiled step is to read has to be among these.

        Code that overrides `train_step` counts the others: the optimizer's variables by
        its slots, and the metrics' metric by metric.
        """
        state = getattr(self, "_sharpness_aware", None)
        return super().non_trainable_variables + (state.variables if state else [])

    def _purge_model_variables(self, **kinds):
        """Keras empties the variables before the first step, which may fail.

        It would lose the weights then. To keep them costs no memory: the step that
        succeeds is given the arrays to use up.
        """

    def make_train_function(self, force=False):
        """Keras's, whose new state is where it looks for it before anything can fail."""
        _warn_of_processes()
        before = self.train_function
        super().make_train_function(force=force)
        step = self.train_function
        if step is before:
            return

        def train_function(state, iterator):
            with held_back():
                logs, state = step(state, iterator)
                kinds = "trainable", "non_trainable", "optimizer", "metrics"
                self._jax_state = {f"{k}_variables": v for k, v in zip(kinds, state)}
            return logs, state

        self.train_function = train_function

    def train_on_batch(self, *args, **kwargs):
        """Keras's. It gives the variables their new values after the step."""
        with held_back():
            return super().train_on_batch(*args, **kwargs)

    def _batch_size(self, iterator):
        """Each process has its part of a batch; the first step sees the whole."""
        return super()._batch_size(iterator) if jax.process_count() == 1 else None


def _warn_of_processes():
    if jax.process_count() > 1 and keras.distribution.distribution() is None:
        warnings.warn(
            "Several processes train one model only in a `keras.distribution`, and here "
            "each trains a model of its own. Before you make the model, call "
            "`keras.distribution.set_distribution(keras.distribution.DataParallel())`. "
            f"Received: {jax.process_count()} processes",
            stacklevel=3,
        )

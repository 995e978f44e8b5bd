"""The settings as attributes of a model, which can be set at any time."""

import keras

from keras_sam import _backend


def _setting(name, doc):
    """A setting that can be set at any time, after which the step is compiled anew."""

    def get(self):
        return getattr(self._sharpness_aware.settings, name)

    def set_(self, value):
        _set(self, **{name: value})

    return property(get, set_, doc=doc)


def _set(model, **settings):
    with _backend.model_scope(model):
        recompile = model._sharpness_aware.set(model, **settings)
    if recompile and model.train_function is not None:
        model.make_train_function(force=True)


class Settable:
    """What a user sets after the model is made: at the next step it holds."""

    @property
    def rho(self):
        """Radius of the perturbation: a float or a schedule. Can be set at any time."""
        return self._sharpness_aware.settings.rho

    @rho.setter
    def rho(self, value):
        _set(self, rho=value)
        self._sharpness_aware.rho_was_set = True

    m = _setting("m", 'The number of examples that share one perturbation, or "global".')
    ascent = _setting("ascent", "The ascent: from weights and gradients to a perturbation.")
    descent = _setting("descent", "The descent: from two gradients to the optimizer's.")
    schedule = _setting("schedule", "The schedule: on which steps to climb.")
    second_order = _setting("second_order", "Whether gradients go through eps.")

    def _current_rho(self):
        """The radius of the next step, as a float."""
        with _backend.model_scope(self):
            rho = self._sharpness_aware.radius(self.optimizer)
        return float(keras.ops.convert_to_numpy(rho))

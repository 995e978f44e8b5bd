"""What a sharpness-aware model's files have beyond a plain one's."""

import inspect
import warnings

import keras

from keras_sam._backend import saving
from keras_sam._model import seeds
from keras_sam._model.settings import SETTINGS, deserialized


class Saved:
    """The saving of `SharpnessAware`: settings, seeds, and what the rules remember."""

    @property
    def _sharpness_aware_memory(self):
        """Found by Keras when it saves the model."""
        return self._sharpness_aware.memory

    def save_assets(self, dir_path):
        if hasattr(super(), "save_assets"):
            super().save_assets(dir_path)
        values = self._sharpness_aware.settings.values
        _check_registered(keras.saving.serialize_keras_object(values))
        seeds.save(self, dir_path)

    def load_assets(self, dir_path):
        if hasattr(super(), "load_assets"):
            super().load_assets(dir_path)
        seeds.load(self, dir_path)

    def get_config(self):
        _check_format()
        settings = self._sharpness_aware.get_config()
        if "from_model" in settings:
            return settings
        inherited = super().get_config
        if type(self).get_config is not Saved.get_config:
            return {**inherited(), **settings}
        # Keras makes the config of a class that has no `get_config` of its own, or says
        # why it cannot. For that, it has to find the one that it gave the class.
        vars(self)["get_config"] = inherited
        try:
            return {**inherited(), **settings}
        finally:
            del vars(self)["get_config"]

    @classmethod
    def from_config(cls, config, custom_objects=None):
        settings = deserialized(config, custom_objects)
        # Not every class passes them on, so they are also set afterwards.
        accepted = inspect.signature(cls.__init__).parameters
        config = {k: v for k, v in config.items() if k not in SETTINGS}
        config |= {k: v for k, v in settings.items() if k in accepted}
        # Not every class takes objects either.
        given = {} if custom_objects is None else {"custom_objects": custom_objects}
        model = super().from_config(config, **given)
        model._sharpness_aware.set(model, **settings)
        return model


def _check_registered(config):
    """Keras saves a rule of any class, and loads those that it finds by their name."""
    unknown = sorted(set(_unregistered(config)))
    if unknown:
        warnings.warn(
            "Keras does not find these by their names when it loads the file, unless they "
            "are among its `custom_objects`. Register them with "
            f"`@keras.saving.register_keras_serializable()`. Received: {unknown}",
            stacklevel=2,
        )


def _unregistered(config):
    """The names of custom classes and functions in a config of settings."""
    if isinstance(config, list):
        config = dict(enumerate(config))
    if not isinstance(config, dict):
        return
    is_function = config.get("class_name") == "function"
    name = config["config"] if is_function else config.get("registered_name")
    of_keras = str(config.get("module")).startswith("keras.")
    if name and not of_keras and keras.saving.get_registered_object(name) is None:
        yield name
    for value in config.values():
        yield from _unregistered(value)


def _check_format():
    if saving.is_legacy():
        warnings.warn(
            "Of an `.h5` file, Keras's legacy format, a sharpness-aware model loads with "
            "`custom_objects` alone, and without the seeds and what its rules remember. "
            'Use `model.save("model.keras")`, or `model.save_weights("its.weights.h5")` '
            "for a plain model to load.",
            stacklevel=2,
        )

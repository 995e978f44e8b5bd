"""What a sharpness-aware model's files have beyond a plain one's."""

import inspect

import keras

from keras_sam import seeds
from keras_sam.settings import SETTINGS


class Saved:
    """The saving of `SharpnessAware`: settings, seeds, and what the parts remember."""

    @property
    def _sharpness_aware_memory(self):
        """Found by Keras when it saves the model."""
        return self._sharpness_aware.memory

    def save_assets(self, dir_path):
        if hasattr(super(), "save_assets"):
            super().save_assets(dir_path)
        seeds.save(self, dir_path)

    def load_assets(self, dir_path):
        if hasattr(super(), "load_assets"):
            super().load_assets(dir_path)
        seeds.load(self, dir_path)

    def get_config(self):
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
    def from_config(cls, config, **kwargs):
        settings = keras.saving.deserialize_keras_object(
            {name: config[name] for name in SETTINGS if name in config}
        )
        # Not every class passes them on, so they are also set afterwards.
        accepted = inspect.signature(cls.__init__).parameters
        config = {k: v for k, v in config.items() if k not in SETTINGS}
        config |= {k: v for k, v in settings.items() if k in accepted}
        model = super().from_config(config, **kwargs)
        model._sharpness_aware.update(**settings)
        return model

"""`compile`, where a model's settings have been made and can be looked at."""

import keras

from keras_sam._model import passed_on
from keras_sam._model.like import like
from keras_sam._model.mistakes import check_compile


class Compiled:
    """Keras's `compile`, with errors for settings that would go unseen."""

    def __new__(cls, *args, **kwargs):
        made = super().__new__(cls, *args, **kwargs)
        vars(made)["_sharpness_aware_given"] = passed_on.given(cls, args, kwargs)
        return made

    @like(keras.Model.compile)
    def compile(self, *args, **kwargs):
        check_compile(kwargs, super().compile)
        settings = self._sharpness_aware.settings
        given = vars(self).pop("_sharpness_aware_given", {})
        for name, value in given.items():
            passed_on.check(name, value, settings, type(self))
        super().compile(*args, **kwargs)

    @like(keras.Model.compile_from_config)
    def compile_from_config(self, config):
        """Keras does not compile again where `compile` is another: this one may be so."""
        ours = type(self).compile is Compiled.compile
        if not ours or super().compile.__func__ is not keras.Model.compile:
            super().compile_from_config(config)
            return
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

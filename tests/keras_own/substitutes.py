"""The classes that stand in the place of Keras's while its test modules are imported."""

import functools

import keras

import keras_sam


def at_zero():
    """Keras's tests say nothing of rho."""
    for cls in (keras_sam.SAMModel, keras_sam.SharpnessAware):
        cls.__init__.__kwdefaults__["rho"] = 0.0


@keras.saving.register_keras_serializable("tests.keras_own")
class Mixed(keras_sam.SharpnessAware, keras.Model):
    pass


@keras.saving.register_keras_serializable("tests.keras_own")
class MixedSequential(keras_sam.SharpnessAware, keras.Sequential):
    pass


class FromModel:
    """Called as Keras's class, it makes a sharpness-aware model of what that makes.

    No class: what derives from it derives from Keras's, and is plain.
    """

    def __init__(self, plain):
        self.plain = plain

    def __call__(self, *args, **kwargs):
        model = self.plain(*args, **kwargs)
        if type(model) is keras.Model:  # To be built by a test that knows its insides.
            return model
        return keras_sam.SAMModel.from_model(model, rho=0.0)

    def __getattr__(self, name):
        return getattr(self.plain, name)

    def __mro_entries__(self, bases):
        return (self.plain,)

    def __instancecheck__(self, instance):
        return isinstance(instance, self.plain)


TRAINER = next(cls for cls in keras.Model.__mro__ if cls.__name__.endswith("Trainer"))


class MixedTrainer(keras_sam.SharpnessAware, TRAINER):
    """Keras's tests of the trainer make models of a layer, which are no `keras.Model`."""


PLACES = {
    "plain": [],
    "functional": [keras_sam.SAMModel],
    "mixin": [Mixed, MixedSequential, MixedTrainer],
    "from_model": [FromModel(keras.Model), FromModel(keras.Sequential)],
}


@functools.cache
def substitutes(form):
    """Dict from Keras's class to the one in its place."""
    return dict(zip([keras.Model, keras.Sequential, TRAINER], PLACES[form]))

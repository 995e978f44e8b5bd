"""What Keras walks through when it saves a model, and has no public name for."""

from keras.src.saving.keras_saveable import KerasSaveable


class Saveable(KerasSaveable):
    """Saved with the model that has it as an attribute, and not tracked otherwise."""

    def _obj_type(self):
        # The kind decides which attributes Keras looks into; a loss has none of its own.
        return "Loss"

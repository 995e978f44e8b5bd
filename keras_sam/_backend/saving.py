"""What Keras saves a model by, and has no public name for."""

import weakref

import keras
from keras.src.backend.common import global_state
from keras.src.saving.keras_saveable import KerasSaveable
from keras.src.saving.object_registration import GLOBAL_CUSTOM_NAMES


class Saveable(KerasSaveable):
    """Saved with the model that has it as an attribute, and not tracked otherwise."""

    def _obj_type(self):
        # The kind decides which attributes Keras looks into; a loss has none of its own.
        return "Loss"


def name_as(cls, other, while_there_is=None):
    """Has instances of a class saved as another's.

    Keras's public way of giving a class a name keeps the class for ever, and makes it the
    one that is found by that name.

    Args:
        cls: Class, of the same name in Python.
        other: Class.
        while_there_is: Object with which the name goes, and `cls` may. `None` for never.
    """
    if other not in GLOBAL_CUSTOM_NAMES:
        return
    GLOBAL_CUSTOM_NAMES[cls] = keras.saving.get_registered_name(other)
    if while_there_is is not None:
        weakref.finalize(while_there_is, GLOBAL_CUSTOM_NAMES.pop, cls, None)


def is_legacy():
    """Whether a config is for an `.h5` file of a whole model."""
    return global_state.get_global_attribute("use_legacy_config", False)

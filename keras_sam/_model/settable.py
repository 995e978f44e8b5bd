"""The settings as attributes of a model, which can be set at any time."""

from typing import Any, Generic, Literal, TypeVar

import keras

from keras_sam import _backend
from keras_sam.ascents import Ascent
from keras_sam.descents import Descent
from keras_sam.methods import Method
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import Radius

Value = TypeVar("Value")


class Setting(Generic[Value]):
    """A setting as an attribute, which holds from the next step on."""

    def __init__(self, doc: str):
        self.__doc__ = doc

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, model: Any, owner: Any = None) -> Value:
        return (
            self if model is None else getattr(model._sharpness_aware.settings, self.name)
        )

    def __set__(self, model: Any, value: Value) -> None:
        state = model._sharpness_aware
        with _backend.model_scope(model):
            recompile = state.set(model, **{self.name: value})
        if self.name == "rho":
            state.rho_was_set = True
        if recompile and model.train_function is not None:
            model.make_train_function(force=True)


class Settable:
    """The settings, with their types."""

    rho = Setting[Radius]("Radius of the perturbation: a float or a schedule.")
    m = Setting[int | Literal["global"] | None](
        'The number of examples that share one perturbation, or "global".'
    )
    ascent = Setting[Ascent]("The ascent: from weights and gradients to a perturbation.")
    descent = Setting[Descent]("The descent: from two gradients to the optimizer's.")
    schedule = Setting[Schedule]("The schedule: on which steps to climb.")
    second_order = Setting[bool]("Whether gradients go through eps.")
    method = Setting[Method | None]("A step of one's own, in place of the rules.")
    curvature = Setting[bool]("Whether the logs have measures of curvature.")

    def _current_rho(self):
        """The radius of the next step, as a float."""
        with _backend.model_scope(self):
            # A sum, as NumPy does not read a variable that replicas have copies of.
            rho = self._sharpness_aware.radius(self.optimizer) + 0.0
        return float(keras.ops.convert_to_numpy(rho))

"""What a sharpness-aware model has beyond a plain one."""

import contextlib

import keras

from keras_sam.ascents import LpBall
from keras_sam.group_size import GroupSize
from keras_sam.schedules import Rho

SETTINGS = ("rho", "m", "ascent")


class Settings:
    """Kept in a plain object, of which Keras tracks nothing.

    So the model's weights, its files and its parameter count stay the plain model's.
    """

    def __init__(self, rho=0.05, m=None, ascent=None):
        self.rho = Rho(rho)
        self.m = GroupSize(m)
        self.ascent = LpBall() if ascent is None else ascent
        if not callable(self.ascent):
            raise ValueError(
                "`ascent` must be one of `keras_sam.ascents` or a callable. "
                f"Received: ascent={ascent}"
            )
        self.sharpness = keras.metrics.Mean(name="sharpness")
        self.evaluating = False
        self.checked = None
        self.source = None  # The model that `SAMModel.from_model` was given.

    @property
    def variables(self):
        """What a compiled step reads, and training does not move."""
        return [] if self.rho.scheduled else [self.rho.variable]

    def set_rho(self, value):
        """Returns whether the step has to be compiled anew."""
        if self.rho.set(value):
            return False
        self.rho = Rho(value)
        return True

    def update(self, rho=None, m=None, ascent=None):
        if rho is not None:
            self.set_rho(rho)
        if m is not None:
            self.m = GroupSize(m)
        if ascent is not None:
            self.ascent = ascent

    def once(self, variables, check):
        """Runs a check of these variables, unless they have passed it already."""
        key = tuple(map(id, variables))
        if self.checked != key:
            check()
            self.checked = key

    @contextlib.contextmanager
    def evaluation(self):
        """There is no perturbation in it, and so no sharpness to show."""
        self.evaluating, before = True, self.evaluating
        try:
            yield
        finally:
            self.evaluating = before

    def get_config(self):
        config = {"rho": self.rho.value, "m": self.m.value, "ascent": self.ascent}
        if self.source is not None:
            config["from_model"] = self.source
        return keras.saving.serialize_keras_object(config)

"""What the ascent and the schedule remember from one step to the next."""

import keras
import numpy as np

from keras_sam import _backend
from keras_sam._backend.saving import Saveable


class Memory(Saveable):
    """Variables that belong to no layer: not to the model's weights, but to its files.

    Attributes:
        variables: Dict of lists of Keras variables, by the part that remembers them.
    """

    def __init__(self):
        self.variables = {"ascent": [], "schedule": []}
        self.loaded = None

    @property
    def all(self):
        return [v for variables in self.variables.values() for v in variables]

    @property
    def own(self):
        """The variables of which each replica has its own."""
        return [v for v in self.all if keras.backend.is_float_dtype(v.dtype)]

    @property
    def several(self):
        """Whether one call of the step has several replicas' variables, as on JAX."""
        return any(getattr(v, "several", False) for v in self.own)

    def build(self, count, **tensors):
        """Begins with these lists of tensors, or with what has been loaded.

        Args:
            count: Integer, the number of replicas with a memory each whose examples are
                in one call of the step.
            **tensors: Lists of tensors, by part.
        """
        self.variables = {
            name: [_backend.remembered(tensor, count) for tensor in values]
            for name, values in tensors.items()
        }
        self._assign_loaded()

    def read(self, state):
        """The values, as tensors, where some are given in `(variable, value)` pairs."""
        given = {id(variable): value for variable, value in state}
        return {
            name: [given.get(id(v), v.value) for v in variables]
            for name, variables in self.variables.items()
        }

    def updates(self, tensors):
        """The `(variable, value)` pairs that a step has to assign."""
        return [
            pair
            for name, variables in self.variables.items()
            for pair in zip(variables, tensors[name])
        ]

    def save_own_variables(self, store):
        for i, variable in enumerate(self.all):
            store[str(i)] = _backend.of_replicas(variable)

    def load_own_variables(self, store):
        """Kept until there are variables, which the weights have to be there for."""
        self.loaded = [store[str(i)][()] for i in range(len(store.keys()))]
        self._assign_loaded()

    def _assign_loaded(self):
        if not self.all or not self.loaded:
            return
        shapes = [
            [np.shape(value)[1:] for value in values]
            for values in (self.loaded, map(_backend.of_replicas, self.all))
        ]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "What the ascent and the schedule remembered in the file is of other "
                "weights, or of other parts. "
                f"Received: shapes={shapes[0]}, expected: shapes={shapes[1]}"
            )
        for variable, values in zip(self.all, self.loaded):
            count = len(_backend.of_replicas(variable))
            if len(values) != count:  # Trained by another number of replicas.
                mean = np.mean(values, axis=0, keepdims=True).astype(values.dtype)
                values = np.repeat(mean, count, axis=0)
            _backend.assign_to_replicas(variable, values)
        self.loaded = None

"""What the rules of a step remember from one step to the next."""

import warnings

import numpy as np

from keras_sam import _backend
from keras_sam._backend.saving import Saveable
from keras_sam._model.remembered import Remembered
from keras_sam._step.memory import Memory


class MemoryVariables(Saveable):
    """Variables that belong to no layer: not to the model's weights, but to its files.

    What a file holds can only be taken over once the weights are there and the replicas are
    known, which is when training begins. Until then it is kept as it was loaded, and is
    what is saved again.

    Attributes:
        variables: Dict of lists of Keras variables, by the rule that remembers them.
        count: Integer, the number of replicas whose memories are in one call of the step.
        owners: Dict that says what they are of, as `Remembered` has it.
        loaded: `Remembered` of a file, or `None`.
        expected: Callable to what would be remembered at first, or to `None` where the
            weights are not there yet.
    """

    def __init__(self, expected):
        self.variables = {name: [] for name in Memory._fields}
        self.count = 1
        self.owners = {}
        self.loaded = None
        self.expected = expected

    @property
    def all(self):
        return [v for variables in self.variables.values() for v in variables]

    def build(self, count, owners, tensors):
        """Begins with these tensors, or with what has been loaded.

        Args:
            count: Integer, the number of replicas with a memory each whose examples are
                in one call of the step.
            owners: Dict that says what the tensors are of.
            tensors: Dict of lists of tensors, by rule.
        """
        self.count, self.owners = count, owners
        self.variables = {
            name: [_backend.remembered(tensor, count) for tensor in values]
            for name, values in tensors.items()
        }
        if self.loaded is None:
            return
        difference = self.loaded.difference(owners, tensors)
        if difference:
            warnings.warn(
                "What the rules remembered in the file is of other weights, or of other "
                f"rules: they begin anew. {difference}",
                stacklevel=2,
            )
        else:
            self._assign(self.all, self.loaded.values)
        self.loaded = None

    def read(self):
        """The values, as a `Memory`."""
        return Memory(**{n: [v.value for v in vs] for n, vs in self.variables.items()})

    def assign(self, memory):
        """Sets them."""
        for name, variables in self.variables.items():
            for variable, value in zip(variables, getattr(memory, name)):
                variable.assign(value)

    def save_own_variables(self, store):
        remembered = self.loaded
        if remembered is None:
            values = [_backend.of_replicas(v, self.count) for v in self.all]
            remembered = Remembered(self.owners, values)
        remembered.write(store)

    def load_own_variables(self, store):
        """Keras turns the error into a warning where `skip_mismatch=True` asks for it."""
        loaded = Remembered.read(store)
        expected = self.expected()
        if not loaded.values or (expected and not expected[0]):
            return  # There is nothing to remember, or nobody who would.
        difference = expected and loaded.difference(*expected)
        if difference:
            raise ValueError(
                "What the rules remembered in the file is of other weights, or of other "
                "rules. To load the rest, use "
                f"`model.load_weights(path, skip_mismatch=True)`. {difference}"
            )
        if self.all and expected and self.owners == expected[0]:
            self._assign(self.all, loaded.values)
        else:
            self.loaded = loaded

    def values(self):
        """Dict of lists of arrays with an axis of replicas before the others, by rule."""
        return {
            name: [_backend.of_replicas(v, self.count) for v in variables]
            for name, variables in self.variables.items()
        }

    def take_over(self, values):
        """Sets the rules that are named here to the values that they had before."""
        for name, arrays in values.items():
            self._assign(self.variables[name], arrays)

    def _assign(self, variables, arrays):
        for variable, values in zip(variables, arrays):
            count = len(_backend.of_replicas(variable, self.count))
            if len(values) != count:  # Trained by another number of replicas.
                mean = np.mean(values, axis=0, keepdims=True).astype(values.dtype)
                values = np.repeat(mean, count, axis=0)
            _backend.assign_to_replicas(variable, values, self.count)

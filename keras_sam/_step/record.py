"""One run of a trunk, and the rest of the model on what it has given."""

import contextlib

import keras

from keras_sam import _backend
from keras_sam._backend import keras_graph, keras_trainer
from keras_sam._step.ascent_pass import listening


class _Enough(BaseException):
    """Ends a pass when the trunk has run. (Keras changes the message of an `Exception`.)"""


class Record:
    """What the trunk gives in one run.

    Attributes:
        tensors: List of what gradients go through: outputs that the head uses, and what
            layers add to the loss.
        others: List of the outputs that have no gradient, and of all outputs' masks.
        losses: List, for each node of the trunk, of the number of losses it has added.
        updates: List of `(variable, value)` that it assigns.
        alone: Bool. Whether all of it has run, and has to do with the rest of the model by
            its outputs alone.
    """

    def __init__(self, trunk):
        self.trunk, self.alone = trunk, False
        self.tensors, self.others, self.losses, self.updates = [], [], [], []

    def make(self, forward, scope, layers):
        """Runs `forward` in a scope, until the trunk has run."""
        nodes, updates, reads = enumerate(self.trunk.nodes), {}, set()
        kept, complete = _kept(layers), False

        def run(call):
            nonlocal complete
            index, node = next(nodes)
            if node.used is None:
                return [object()] * node.count
            count, before = len(scope.losses), dict(scope.updates)
            with _watched(scope, reads):
                outputs = call()
            flat = keras.tree.flatten(outputs)
            for i, is_float in node.used:
                (self.tensors if is_float else self.others).append(flat[i])
                self.others.append(keras_trainer.mask(flat[i]))
            self.tensors += scope.losses[count:]
            self.losses.append(len(scope.losses) - count)
            changed = scope.updates.items()
            updates.update(
                (key, pair) for key, pair in changed if before.get(key) is not pair
            )
            if index == self.trunk.last:
                complete = True
                raise _Enough
            return outputs

        with listening() as asked:
            by_node = keras_graph.operations_by(self.trunk.graph, run)
            with by_node, contextlib.suppress(_Enough):
                forward()
            self.alone = (
                complete
                and not asked()  # Which pass this is: in the other it may give another h.
                and reads <= self.trunk.variables  # And borrows no weight of the head.
                and updates.keys() <= self.trunk.variables
                and _kept(layers).keys() <= kept.keys()
            )
        self.updates = list(updates.values())

    def given(self, forward, tensors):
        """`forward()`, in which the trunk gives these tensors and does not run."""
        nodes, losses = iter(self.trunk.nodes), iter(self.losses)
        # The head may change them in place.
        tensors, others = map(iter, _backend.copied((list(tensors), self.others)))

        def run(call):
            node = next(nodes)
            if node.used is None:
                return call()
            outputs = [object()] * node.count
            for i, is_float in node.used:
                tensor = next(tensors if is_float else others)
                outputs[i] = keras_trainer.with_mask(tensor, next(others))
            for _ in range(next(losses)):
                node.operation.add_loss(next(tensors))
            return outputs

        with keras_graph.operations_by(self.trunk.graph, run):
            return forward()


@contextlib.contextmanager
def _watched(scope, reads):
    """Adds the ids of variables whose values are read of a scope."""

    def read(variable):
        reads.add(id(variable))
        return type(scope).get_current_value(scope, variable)

    scope.get_current_value = read
    try:
        yield
    finally:
        del scope.get_current_value


def _kept(layers):
    """The tensors that layers have as attributes, or in such, by their ids."""
    found = {}
    for layer in layers:
        for value in vars(layer).values():
            values = list(value.values()) if isinstance(value, dict) else value
            values = values if isinstance(values, (list, tuple, set)) else [values]
            found |= {id(x): x for x in values if keras.ops.is_tensor(x)}
    return found

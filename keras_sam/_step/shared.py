"""A step that runs the trunk once, which both of its passes have in common.

    h    = trunk(x)                      and how gradients go back through it
    g    = the gradient of L(head(h)) with respect to the head's weights
    s, d = the same at w + eps, and that with respect to h
    d, taken back through the trunk, is the gradient of the trunk's weights

It is the step as it always is, to rounding: the trunk gives the same in both passes.
"""

import contextlib

import keras

from keras_sam import _backend
from keras_sam._backend import keras_graph, keras_trainer
from keras_sam._step.ascent_pass import listening


class _Enough(BaseException):
    """Ends a pass when the trunk has run. (Keras changes the message of an `Exception`.)"""


class _Record:
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
                and not reads & self.trunk.perturbed
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


class Shared:
    """Evaluates as an `Evaluation` does, with one run of the trunk for all passes.

    The gradients of its passes are those of the head, and of what the loss is of any
    weight without the trunk. Behind them stand those of the tensors that the trunk gives,
    of which `complete` makes the gradients of the weights.

    Args:
        trunk: The `Trunk`.
        evaluation: The `Evaluation`.
    """

    def __init__(self, trunk, evaluation):
        self.trunk, self.evaluation = trunk, evaluation
        self.variables = evaluation.objective.variables
        self.record = _Record(trunk)

    def begin(self, weights, draws):
        """Runs the trunk. Returns whether that was all of it.

        Args:
            weights: List of tensors.
            draws: `Draws` of this run alone.
        """
        record, of = self.record, self.evaluation
        if self.trunk.stands is False:
            return False
        layers = of.objective.layers
        suspects = layers if self.trunk.stands is None else []  # To look takes time.

        def run(scope):
            record.make(of.forward, scope, suspects)
            return record.tensors, (record.others, [value for _, value in record.updates])

        self.tensors, (record.others, values), self.pull = _backend.pullback(
            layers, run, self.variables, weights, of.given, draws
        )
        self.updates = [(v, value) for (v, _), value in zip(record.updates, values)]
        self.trunk.stands = record.alone
        return record.alone

    def __call__(self, weights):
        def forward(*tensors):
            return self.record.given(self.evaluation.forward, tensors or self.tensors)

        inputs = self.tensors if self.trunk.trained else []
        found = self.evaluation.differentiated(forward, weights, inputs=inputs)
        return found._replace(updates=[*self.updates, *found.updates])

    def complete(self, gradients):
        """The gradients of the weights."""
        count = len(self.variables)
        if len(gradients) == count:
            return gradients
        through = self.pull(gradients[count:])
        pairs = zip(self.variables, gradients, through)
        return [_sum(g, t) if id(v) in self.trunk.trained else g for v, g, t in pairs]


def _sum(x, y):
    if x is None or y is None:
        return x if y is None else y
    return _backend.dense(x) + _backend.dense(y)

"""A step that runs the trunk once, which both of its passes have in common.

    h    = trunk(x)                      and how gradients go back through it
    g    = the gradient of L(head(h)) with respect to the head's weights
    s, d = the same at w + eps, and that with respect to h
    d, taken back through the trunk, is the gradient of the trunk's weights

It is the step as it always is, to rounding: the trunk gives the same in both passes.
"""

from keras_sam import _backend
from keras_sam._step.record import Record


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
        self.record = Record(trunk)

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

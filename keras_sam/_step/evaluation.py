"""A pass of the model over the batch, on weights that are given."""

import functools
import itertools

from keras_sam import _backend
from keras_sam.methods import Pass


class Evaluation:
    """The callable from weights to a `Pass` over the batch.

    The first pass is given the batch itself, as in plain training, and may change it.

    Args:
        objective: The `Objective`.
        data: Nested structure of tensors, rows of the batch.
        draws: What `Randomness().draws()` gives.
        once: `Once`.
        given: List of `(variable, value)` to start from, or `None` outside of groups.
    """

    def __init__(self, objective, data, draws, once, given=None):
        self.objective, self.draws, self.once = objective, draws, once
        self.in_groups, self.given = given is not None, given or []
        untouched = _backend.copied(data)
        copies = map(_backend.copied, itertools.repeat(untouched))
        self.batches = itertools.chain([data], copies)

    def __call__(self, weights, at=None, clean=None):
        forward = functools.partial(self.forward, clean)
        return self.differentiated(forward, weights, at=at)

    def forward(self, clean=None):
        """The loss whose gradient is taken, and what `differentiated` makes of the rest."""
        loss, *shown = self.objective.loss(next(self.batches), self.in_groups, clean)
        return self.objective.scaled(loss), shown

    def differentiated(self, forward, weights, **kwargs):
        """The `Pass` of `forward`."""
        objective = self.objective
        _, (loss, y_pred), gradients, updates = _backend.differentiate(
            objective.layers,
            forward,
            objective.variables,
            weights,
            self.given,
            self.draws,
            **kwargs,
        )
        self.once(objective.variables, lambda: self._check_reach(gradients))
        return Pass(loss, y_pred, gradients, updates)

    def _check_reach(self, gradients):
        def predict():
            return self.objective.predict(next(self.batches))

        # The draws of a pass by the head of a network are not those of the whole.
        objective, draws = self.objective, self.draws.apart()
        _backend.check_reach(
            objective.layers, predict, objective.variables, gradients, draws
        )

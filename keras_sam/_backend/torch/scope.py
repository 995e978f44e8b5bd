"""What a pass assigns, and the gradients through what it assigns, on PyTorch."""

import keras
import torch


class Scope(keras.StatelessScope):
    """Remembers which variables were assigned, and mirrors assignments of plain training.

    No gradient flows through an assignment, and that of a trainable variable which a
    layer assigns in `call` (spectral normalization does) is the sum over both values.
    """

    def __init__(self, variables, weights, values, state):
        super().__init__([*zip(variables, values), *state], collect_losses=True)
        self.sources = {id(v): [w] for v, w in zip(variables, weights)}
        self.updates = {}

    def add_update(self, update):
        variable, value = update
        value = value.detach()
        self.updates[id(variable)] = (variable, value)
        if id(variable) in self.sources:
            value = value.detach().requires_grad_()
            self.sources[id(variable)].append(value)
        super().add_update((variable, value))

    def gradients(self, target, output_gradients=None, inputs=(), create_graph=False):
        """Of a tensor or a list of them, for each variable and then for each input."""
        sources = [*self.sources.values(), *([x] for x in inputs)]
        values = [value for values in sources for value in values]
        if not values:
            return []
        gradients = torch.autograd.grad(
            target, values, output_gradients, allow_unused=True, create_graph=create_graph
        )
        gradients = iter(map(_laid_out, gradients, values))
        return [_total([next(gradients) for _ in values]) for values in sources]


def _laid_out(gradient, value):
    """In memory as `.grad` would have it: a norm adds up in the order of memory."""
    if gradient is None or gradient.stride() == value.stride():
        return gradient
    return torch.empty_like(value).copy_(gradient)


def _total(gradients):
    gradients = [g for g in gradients if g is not None]
    return sum(gradients[1:], start=gradients[0]) if gradients else None

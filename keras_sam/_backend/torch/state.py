"""State that a pass of PyTorch moves and that is in no Keras variable.

A `TorchModuleWrapper` runs a module on its own parameters, and on buffers that Keras does
not know (statistics of batch norm).
"""

import keras
import torch


class Untracked:
    """Runs a pass that leaves all of it as it was.

    Args:
        layers: List of the layers, however deep.
        state: List of `(variable, value)` to start from, of which some are `updates` of
            an earlier pass.

    Attributes:
        tracked: The part of `state` that Keras's variables hold.
        updates: What the pass has moved, as pairs of the same kind, once it has run.
    """

    def __init__(self, layers, state):
        self.tracked = [pair for pair in state if not isinstance(pair[0], _Buffer)]
        self.given = {v.path: value for v, value in state if isinstance(v, _Buffer)}
        self.wrappers = [
            x for x in layers if isinstance(x, keras.layers.TorchModuleWrapper)
        ]
        self.variables = {id(v.value): v for w in self.wrappers for v in w.variables}
        self.updates = []

    def call(self, fn):
        """`fn()`, in which wrapped modules see the weights of the current scope."""
        if not self.wrappers:
            return fn()
        run = _Run(fn, [wrapper.module for wrapper in self.wrappers])
        parameters = run.named_parameters()
        tensors = {name: self.variables[id(p)].value for name, p in parameters}
        buffers = {name: _Buffer(name, b) for name, b in run.named_buffers()}
        moved = {n: self.given.get(b.path, b.tensor).clone() for n, b in buffers.items()}
        outputs = torch.func.functional_call(run, tensors | moved, ())
        self.updates += [(buffers[name], value.detach()) for name, value in moved.items()]
        return outputs


class _Run(torch.nn.Module):
    def __init__(self, fn, modules):
        super().__init__()
        self.fn = fn
        self.modules_of_the_model = torch.nn.ModuleList(modules)

    def forward(self):
        return self.fn()


class _Buffer:
    """What the step needs of a variable."""

    def __init__(self, name, tensor):
        self.path, self.tensor = name, tensor

    def assign(self, value):
        with torch.no_grad():
            self.tensor.copy_(value)

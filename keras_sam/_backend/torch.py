"""The backend's primitives on PyTorch, where Keras trains on one device."""

import contextlib

import keras
import numpy as np
import torch

from keras_sam._backend.loop import fold, head
from keras_sam._backend.torch_fit import Fit
from keras_sam._backend.torch_state import Untracked

__all__ = ["Fit", "fold", "head"]


def train_step(step):
    return step


def read(variables):
    return [variable.value.detach() for variable in variables]


def differentiate(model, fn, variables, weights, state, at=None):
    """Leaves nothing in `.grad`: the gradients are asked for, not accumulated.

    Weights that require a gradient are those of a pass around this one, through which that
    gradient has to be taken (in second order).
    """
    inner = any(w.requires_grad for w in weights)
    if not inner:
        weights = [w.detach().requires_grad_() for w in weights]
    with torch.enable_grad(), Untracked(model, state) as untracked:
        values = weights if at is None else at(weights)
        scope = _Scope(variables, weights, values, untracked.tracked)
        with scope, _twice_differentiable(at is not None or inner):
            loss, aux = untracked.call(fn)
        gradients = scope.gradients(loss, create_graph=inner)
    updates = [*scope.updates.values(), *untracked.updates]
    if inner:
        return loss, aux, gradients, updates
    return loss.detach(), _detached(aux), gradients, updates


def _twice_differentiable(needed):
    """The fast kernels of attention have no second derivative."""
    if not needed:
        return contextlib.nullcontext()
    return torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)


def dense(gradient):
    return gradient


def sum_of_squares(tensor):
    return torch.linalg.vector_norm(tensor).square()


def scaled(tensors, factor):
    """Each operation on all weights counts here, and so the factor is looked at first."""
    if factor == 1:
        return tensors
    if factor == 0:
        return [torch.zeros_like(tensor) for tensor in tensors]
    return [tensor * factor for tensor in tensors]


def cond(predicate, yes, no):
    return keras.ops.cond(predicate, yes, no)


def are_finite(gradients):
    sums = [g.sum(dtype=torch.promote_types(g.dtype, torch.float32)) for g in gradients]
    return torch.isfinite(torch.as_tensor(sum(sums)))


def choose(predicate, xs, ys):
    if predicate:
        return xs
    return [x if x is None else torch.zeros_like(x) for x in xs] if ys is None else ys


def remembered(tensor, count):
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return keras.Variable(tensor, dtype=dtype, trainable=False, autocast=False)


def of_replicas(variable):
    return keras.ops.convert_to_numpy(variable)[np.newaxis]


def assign_to_replicas(variable, values):
    variable.assign(values[0])


def replica_index():
    return 0


def check_reach(model, predict, variables, gradients):
    """Compares what `predict` reaches through tensors and through parameters.

    Weights that serve a prediction without a loss have no gradient either, and are reached
    both ways. One that is hidden may still have the gradient of its regularizer.
    """
    suspects = [
        v for v, g in zip(variables, gradients) if g is None or v.regularizer is not None
    ]
    if not suspects:
        return
    as_tensors = [w.requires_grad_() for w in read(suspects)]
    found = _reached(model, predict, suspects, as_tensors)
    as_parameters = _reached(model, predict, suspects, [v.value for v in suspects])
    hidden = [v.path for v, t, p in zip(suspects, found, as_parameters) if p and not t]
    if hidden:
        raise ValueError(
            "A layer uses these weights otherwise than as its Keras variables (for "
            "example as parameters that it kept when it was built), so that they could "
            f"not be perturbed. Use the variables. Received: weights={hidden}"
        )


def _reached(model, predict, variables, sources):
    """Whether predictions or added losses use each source in its variable's place."""
    scope = keras.StatelessScope(list(zip(variables, sources)), collect_losses=True)
    with torch.enable_grad(), Untracked(model, []) as untracked, scope:
        outputs = keras.tree.flatten(untracked.call(predict))
    outputs = [y for y in [*outputs, *scope.losses] if y is not None and y.requires_grad]
    if not outputs:
        return [False] * len(sources)
    total = sum(y.sum() for y in outputs)
    gradients = torch.autograd.grad(total, sources, allow_unused=True)
    return [g is not None for g in gradients]


def replicas(model):
    return 1


def shards(model):
    return 1


def check_rows(data, m):
    """The batch size is known when the step begins, and m has been checked against it."""


def average(tensors, count):
    return tensors


def apply(optimizer, gradients, variables):
    for variable in variables:
        variable.value.grad = None  # Left there by plain training, perhaps.
    with torch.no_grad():
        optimizer.apply(gradients, variables)


def model_scope(model):
    return contextlib.nullcontext()


class _Scope(keras.StatelessScope):
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

    def gradients(self, loss, create_graph):
        sources = list(self.sources.values())
        values = [value for values in sources for value in values]
        if not values:
            return []
        gradients = iter(
            torch.autograd.grad(loss, values, allow_unused=True, create_graph=create_graph)
        )
        return [_total([next(gradients) for _ in values]) for values in sources]


def _total(gradients):
    gradients = [g for g in gradients if g is not None]
    return sum(gradients[1:], start=gradients[0]) if gradients else None


def _detached(aux):
    """Or the graph of the clean pass would live on in the perturbed one."""

    def detach(tensor):
        return tensor.detach() if isinstance(tensor, torch.Tensor) else tensor

    return keras.tree.map_structure(detach, aux)

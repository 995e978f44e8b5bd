"""A pass of a model on tensors in the place of its variables, on PyTorch."""

import contextlib

import keras
import numpy as np
import torch

from keras_sam._backend.torch.processes import no_wrappers
from keras_sam._backend.torch.scope import Scope
from keras_sam._backend.torch.state import Untracked


def read(variables):
    return [variable.value.detach() for variable in variables]


def records(variables):
    return torch.is_grad_enabled()


def differentiate(layers, fn, variables, weights, state, draws, at=None, inputs=()):
    """Leaves nothing in `.grad`: the gradients are asked for, not accumulated.

    Weights that require a gradient are those of a pass around this one, through which that
    gradient has to be taken (in second order).
    """
    inner = any(w.requires_grad for w in weights)
    if not inner:
        weights = [w.detach().requires_grad_() for w in weights]
    inputs = [x.detach().requires_grad_() for x in inputs]

    def evaluate(stage):
        untracked = Untracked(layers, state)
        values = weights if at is None else at(weights)

        def run():
            with stage("forward"):
                loss, aux = fn(*inputs)
            # What computes activations anew (gradient checkpointing) sees the scope then
            # too, as long as it runs in this thread.
            with stage("backward"), torch.autograd.set_multithreading_enabled(False):
                gradients = scope.gradients(loss, inputs=inputs, create_graph=inner)
                return loss, aux, gradients

        scope = Scope(variables, weights, values, untracked.tracked)
        with scope, _twice_differentiable(at is not None or inner), no_wrappers():
            loss, aux, gradients = untracked.call(run)
        return loss, aux, gradients, [*scope.updates.values(), *untracked.updates]

    with torch.enable_grad():
        loss, aux, gradients, updates = draws.run(evaluate)
    if inner:
        return loss, aux, gradients, updates
    return loss.detach(), _detached(aux), gradients, updates


def pullback(layers, fn, variables, weights, state, draws):
    weights = [w.detach().requires_grad_() for w in weights]
    scope = Scope(variables, weights, weights, state)

    def evaluate(stage):
        with scope, stage("forward"):
            return fn(scope)

    with torch.enable_grad():
        tensors, aux = draws.run(evaluate)

    def pull(gradients):
        pairs = zip(tensors, gradients)
        reached = [(t, g) for t, g in pairs if g is not None and t.requires_grad]
        if not reached:
            return [None] * len(variables)
        with scope, torch.autograd.set_multithreading_enabled(False):
            return scope.gradients(*zip(*reached))

    return tensors, _detached(aux), pull


def copied(data):
    """What a pass may be given to change in place, as some layers do."""

    def copy(tensor):
        if isinstance(tensor, torch.Tensor):
            return tensor.clone()
        return tensor.copy() if isinstance(tensor, np.ndarray) else tensor

    return keras.tree.map_structure(copy, data)


def _twice_differentiable(needed):
    """The fast kernels of attention have no second derivative."""
    if not needed:
        return contextlib.nullcontext()
    return torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)


def check_reach(layers, predict, variables, gradients, draws):
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
    found = _reached(layers, predict, suspects, as_tensors, draws)
    parameters = [v.value for v in suspects]
    as_parameters = _reached(layers, predict, suspects, parameters, draws)
    hidden = [v.path for v, t, p in zip(suspects, found, as_parameters) if p and not t]
    if hidden:
        raise ValueError(
            "A layer uses these weights otherwise than as its Keras variables (for "
            "example as parameters that it kept when it was built), so that they could "
            f"not be perturbed. Use the variables. Received: weights={hidden}"
        )


def _reached(layers, predict, variables, sources, draws):
    """Whether predictions or added losses use each source in its variable's place."""
    scope = keras.StatelessScope(list(zip(variables, sources)), collect_losses=True)
    untracked = Untracked(layers, [])

    def evaluate(stage):
        with scope, stage("forward"):
            return untracked.call(predict)

    with torch.enable_grad():
        outputs = keras.tree.flatten(draws.run(evaluate))
    outputs = [y for y in [*outputs, *scope.losses] if y is not None and y.requires_grad]
    if not outputs:
        return [False] * len(sources)
    total = sum(y.sum() for y in outputs)
    gradients = torch.autograd.grad(total, sources, allow_unused=True)
    return [g is not None for g in gradients]


def apply(optimizer, gradients, variables):
    for variable in variables:
        variable.value.grad = None  # Left there by plain training, perhaps.
    with torch.no_grad():
        optimizer.apply(gradients, variables)


def _detached(aux):
    """Or the graph of the clean pass would live on in the perturbed one."""

    def detach(tensor):
        return tensor.detach() if isinstance(tensor, torch.Tensor) else tensor

    return keras.tree.map_structure(detach, aux)

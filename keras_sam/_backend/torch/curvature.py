"""Gradients of a function of tensors, and products with its Hessian, on PyTorch."""

import contextlib
import warnings

import keras
import torch

# The other way took 3.7 gradients on a convolutional network, and this one 3.3.
PRODUCTS = ("reverse over reverse", "forward over reverse")


@contextlib.contextmanager
def reading(layers, pairs):
    for layer in layers:
        if isinstance(layer, keras.layers.TorchModuleWrapper):
            raise ValueError(
                "A PyTorch module in a `TorchModuleWrapper` cannot be analysed: its "
                "parameters are not read through Keras. "
                f"Received: a model with the layer {layer.name!r}"
            )
    with keras.StatelessScope(pairs, collect_losses=True):
        yield


def gradient_of(fn, weights):
    weights = [w.detach().requires_grad_() for w in weights]
    with torch.enable_grad():
        value = fn(weights)
        gradients = torch.autograd.grad(value, weights, materialize_grads=True)
    return value.detach(), list(gradients)


def product_of(fn, weights, vectors, how):
    kernel = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    # The first of PyTorch's forward derivatives warns of PyTorch's own old code.
    with kernel, warnings.catch_warnings():
        if how == "forward over reverse":
            gradient = torch.func.grad(lambda ws: fn(list(ws)))
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
            return list(torch.func.jvp(gradient, (tuple(weights),), (tuple(vectors),))[1])
        weights = [w.detach().requires_grad_() for w in weights]
        with torch.enable_grad():
            gradients = torch.autograd.grad(
                fn(weights), weights, create_graph=True, materialize_grads=True
            )
            pairs = zip(gradients, vectors)
            along = sum((g * v).sum() for g, v in pairs if g.requires_grad)
            if not isinstance(along, torch.Tensor):
                return [torch.zeros_like(w) for w in weights]
            products = torch.autograd.grad(along, weights, materialize_grads=True)
    return [p.detach() for p in products]


def out_of_memory(error):
    return isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError))

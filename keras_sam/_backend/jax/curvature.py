"""Gradients of a function of tensors, and products with its Hessian, on JAX."""

import jax
from jax import numpy as jnp

compiled = jax.jit


def gradient_of(fn, weights):
    return jax.value_and_grad(fn)(weights)


def product_of(fn, weights, vectors, how):
    gradient = jax.grad(fn)
    if how == "forward over reverse":
        return jax.jvp(gradient, (weights,), (vectors,))[1]

    def along(weights):
        return sum(jnp.vdot(g, v) for g, v in zip(gradient(weights), vectors))

    return jax.grad(along)(weights)


def out_of_memory(error):
    # XLA has one class for all of its errors, which name their kind.
    named = isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    return named or isinstance(error, MemoryError)

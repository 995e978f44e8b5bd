"""The loop over the groups of a batch, on JAX."""

import math

import jax
import keras
from jax import lax
from jax import numpy as jnp
from jax.experimental import sparse


def scan(part, start, data, m, state=None):
    """As `fold`, from a state that may be given. The short group is not in the loop."""
    n = rows_of(data)
    if m >= n:
        return part(data, state)
    count, rest = divmod(n, m)
    if rest:
        terms, state, last = part(rows(data, count * m, rest), state)
        sums = [t * (rest / m) for t in terms]
    else:
        terms, _, _ = jax.eval_shape(lambda: part(rows(data, 0, m), state))
        sums = [jnp.zeros(t.shape, t.dtype) for t in terms]
        state = start() if state is None else state

    def body(carry, i):
        sums, state = carry
        terms, state, outputs = part(rows(data, i * m, m), state)
        return ([total + t for total, t in zip(sums, terms)], state), outputs

    (sums, state), outputs = lax.scan(body, (sums, state), jnp.arange(count))
    outputs = jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:]), outputs)
    if rest:
        outputs = jax.tree.map(lambda *ys: jnp.concatenate(ys), outputs, last)
    return [total * (m / n) for total in sums], state, outputs


def head(data, fraction):
    return rows(data, 0, math.ceil(rows_of(data) * fraction))


def rows_of(data):
    return next(t for t in keras.tree.flatten(data) if t is not None).shape[0]


def rows(data, first, size):
    """Rows of each tensor, from one that may be known only when the step runs."""

    def part(tensor):
        if tensor is None:
            return None
        if isinstance(tensor, sparse.BCOO):
            rest = tensor.shape[1:]
            return sparse.bcoo_dynamic_slice(
                tensor, (first, *[0] * len(rest)), (size, *rest)
            )
        return lax.dynamic_slice_in_dim(tensor, first, size)

    return keras.tree.map_structure(part, data)

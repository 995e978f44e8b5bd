"""The loop over the groups of a batch, on JAX."""

import math

import jax
import keras
from jax import lax
from jax import numpy as jnp
from jax.experimental import sparse

from keras_sam._backend.groups import rows_of


def scan(take_group, start, data, m, memory, carried=None):
    """As `fold`, from what may be carried on. The short group is not in the loop."""
    n = rows_of(data)
    if m >= n:
        return take_group(data, carried, memory)
    count, rest = divmod(n, m)
    if rest:
        *terms, carried, last = _ordered(
            take_group(rows(data, count * m, rest), carried, memory)
        )
        sums = jax.tree.map(lambda t: t * (rest / m), terms)
    else:
        first = jax.eval_shape(lambda: take_group(rows(data, 0, m), carried, memory))
        *terms, _, _ = _ordered(first)
        sums = jax.tree.map(lambda t: jnp.zeros(t.shape, t.dtype), terms)
        carried = start() if carried is None else carried

    def body(carry, i):
        sums, carried = carry
        *terms, carried, outputs = _ordered(
            take_group(rows(data, i * m, m), carried, memory)
        )
        return (jax.tree.map(jnp.add, sums, terms), carried), outputs

    (sums, carried), outputs = lax.scan(body, (sums, carried), jnp.arange(count))
    outputs = jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:]), outputs)
    if rest:
        outputs = jax.tree.map(lambda *ys: jnp.concatenate(ys), outputs, last)
    terms, memory = jax.tree.map(lambda total: total * (m / n), sums)
    return terms, carried, outputs, memory


def _ordered(group):
    """What a group gives, what is summed first."""
    terms, carried, outputs, memory = group
    return terms, memory, carried, outputs


def head(data, fraction):
    return rows(data, 0, math.ceil(rows_of(data) * fraction))


def rows(data, first, size):
    """Rows of each tensor, from one that may be known only when the step runs."""

    def cut(tensor):
        if tensor is None:
            return None
        if isinstance(tensor, sparse.BCOO):
            rest = tensor.shape[1:]
            return sparse.bcoo_dynamic_slice(
                tensor, (first, *[0] * len(rest)), (size, *rest)
            )
        return lax.dynamic_slice_in_dim(tensor, first, size)

    return keras.tree.map_structure(cut, data)

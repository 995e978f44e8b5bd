"""Arithmetic on all weights, on JAX."""

import jax


def cond(predicate, yes, no):
    """In Python where the predicate is known: JAX compiles fresh closures each time."""
    known = _known(predicate)
    if known is None:
        return jax.lax.cond(predicate, yes, no)
    return yes() if known else no()


def _known(predicate):
    try:
        return bool(predicate)
    except jax.errors.ConcretizationTypeError:
        return None

"""The backend's primitives on JAX, where one call of the step is that of all replicas."""

import contextlib
import functools

import jax
import keras
from jax import numpy as jnp

from keras_sam._backend.draws import Randomness
from keras_sam._backend.jax_fit import Fit
from keras_sam._backend.jax_fold import head
from keras_sam._backend.jax_memory import assign_to_replicas, of_replicas, remembered
from keras_sam._backend.jax_replicas import fold, shards
from keras_sam._backend.jax_scope import InnerScope

__all__ = [
    "Fit",
    "Randomness",
    "assign_to_replicas",
    "fold",
    "head",
    "of_replicas",
    "remembered",
    "shards",
]


def train_step(step):
    @functools.wraps(step)
    def stateless(model, state, data):
        parts = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        pairs = [pair for part, values in zip(parts, state) for pair in zip(part, values)]
        with keras.StatelessScope(pairs) as scope:
            logs = step(model, data)
        return logs, tuple([scope.get_current_value(v) for v in part] for part in parts)

    return stateless


def read(variables):
    return [variable.value for variable in variables]


def records(variables):
    """The tracers of `jax.grad` have a tangent, and those of `jax.jit` alone have none."""
    return any(hasattr(variable.value, "tangent") for variable in variables)


def differentiate(model, fn, variables, weights, state, draws, at=None):
    """As plain training, it forgets what `fn` assigns to a trainable variable."""
    trainable = set(map(id, variables))
    assigned = []

    def run(weights):
        values = weights if at is None else at(weights)
        inner = InnerScope([*zip(variables, values), *state])
        with inner as scope, draws.for_a_pass():
            loss, aux = fn()
        updates = [pair for pair in scope.updates.values() if id(pair[0]) not in trainable]
        assigned[:] = [variable for variable, _ in updates]
        return loss, (aux, [value for _, value in updates])

    (loss, (aux, values)), gradients = jax.value_and_grad(run, has_aux=True)(weights)
    return loss, aux, gradients, list(zip(assigned, values))


def copied(data):
    return data


def dense(gradient):
    return gradient


def sum_of_squares(tensor):
    return jnp.sum(jnp.square(tensor))


def scaled(tensors, factor):
    return [jnp.where(factor == 0, 0, tensor * factor) for tensor in tensors]


def cond(predicate, yes, no):
    """In Python where the predicate is known: JAX compiles fresh closures each time."""
    known = _known(predicate)
    if known is None:
        return jax.lax.cond(predicate, yes, no)
    return yes() if known else no()


def mended(xs, ys, usable, skips):
    def mend(x, y):
        kept = jnp.logical_and(usable, jnp.logical_or(jnp.isfinite(x), skips))
        return jnp.where(kept, x, 0 if y is None else y)

    return [mend(x, y) for x, y in zip(xs, ys)]


def _known(predicate):
    try:
        return bool(predicate)
    except jax.errors.ConcretizationTypeError:
        return None


def check_reach(model, predict, variables, gradients, draws):
    """Plain training puts tensors in the place of variables too: JAX hides nothing."""


def check_rows(data, m):
    """Shapes are static, and m has been checked against them."""


def replica_index():
    """The replicas share a call of the step, and its seeds."""
    return 0


def replicas(model):
    return shards(model)


def average(tensors, count):
    """The replicas that share a perturbation share a call of the step."""
    return tensors


def apply(optimizer, gradients, variables):
    slots = optimizer.variables
    weights, values = optimizer.stateless_apply(read(slots), gradients, read(variables))
    for variable, value in [*zip(variables, weights), *zip(slots, values)]:
        variable.assign(value)


@contextlib.contextmanager
def model_scope(model):
    """Between the steps of an epoch the values are Keras's, not the variables'."""
    model.jax_state_sync()
    yield

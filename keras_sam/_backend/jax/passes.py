"""A pass of a model on tensors in the place of its variables, on JAX."""

import contextlib
import functools

import jax
import keras
from keras.src.backend.common.stateless_scope import get_stateless_scope

from keras_sam._backend.base import read
from keras_sam._backend.jax.scope import InnerScope


def train_step(step):
    @functools.wraps(step)
    def stateless(model, state, data):
        kinds = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        pairs = [pair for kind, values in zip(kinds, state) for pair in zip(kind, values)]
        with keras.StatelessScope(pairs) as scope:
            logs = step(model, data)
        return logs, tuple([scope.get_current_value(v) for v in kind] for kind in kinds)

    return stateless


def records(variables):
    """The tracers of `jax.grad` have a tangent, and those of `jax.jit` alone have none."""
    return any(hasattr(variable.value, "tangent") for variable in variables)


def differentiate(layers, fn, variables, weights, state, draws, at=None, inputs=()):
    assigned = []

    def run(weights, inputs):
        values = weights if at is None else at(weights)
        inner = InnerScope([*zip(variables, values), *state], variables)
        with inner as scope, draws.for_a_pass():
            loss, aux = fn(*inputs)
        updates = scope.updates.values()
        assigned[:] = [variable for variable, _ in updates]
        return loss, (aux, [value for _, value in updates])

    gradient = jax.value_and_grad(run, argnums=(0, 1), has_aux=True)
    (loss, (aux, values)), (of_weights, of_inputs) = gradient(weights, list(inputs))
    return loss, aux, [*of_weights, *of_inputs], list(zip(assigned, values))


def pullback(layers, fn, variables, weights, state, draws):
    def run(weights):
        inner = InnerScope([*zip(variables, weights), *state], variables)
        with inner as scope, draws.for_a_pass():
            return fn(scope)

    tensors, pull, aux = jax.vjp(run, weights, has_aux=True)
    return tensors, aux, lambda gradients: pull(gradients)[0]


def in_scope(fn):
    """Traced, nothing may be written but to a scope that the user has opened."""
    if get_stateless_scope() is not None:
        return fn()
    with keras.StatelessScope():
        found = fn()
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(found)):
        raise ValueError(
            "In a function that JAX traces, Keras's variables cannot be written. Call "
            "`grad.stateless_call(trainable, non_trainable, *data)` there, with the values "
            "of `grad.variables` and `grad.non_trainable_variables`."
        )
    return found


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

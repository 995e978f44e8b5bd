"""What keras_sam asks of a backend: each function, and what it is where nothing is special.

A backend is a folder with the functions that it has a word to say on; all others are
these. By these a model can be made, loaded and asked for predictions on any backend of
Keras, on one device. Training needs a `differentiate`, which refuses here.
"""

import contextlib

import keras
import numpy as np
from keras import ops

from keras_sam._backend.curvature import (
    PRODUCTS,
    compiled,
    gradient_of,
    no_gradients,
    out_of_memory,
    product_of,
    reading,
)
from keras_sam._backend.draws import Randomness
from keras_sam._backend.generators import generator_states, seeding, set_generator_states
from keras_sam._backend.groups import fold, head

__all__ = [
    "PRODUCTS",
    "Fit",
    "Randomness",
    "after_creating",
    "apply",
    "assign_to_replicas",
    "average",
    "check_reach",
    "check_rows",
    "compiled",
    "cond",
    "copied",
    "dense",
    "differentiate",
    "fold",
    "generator_states",
    "gradient_of",
    "head",
    "in_scope",
    "mended",
    "model_scope",
    "of_replicas",
    "out_of_memory",
    "outside",
    "product_of",
    "pullback",
    "read",
    "reading",
    "records",
    "remembered",
    "replica_index",
    "replicas",
    "scaled",
    "seeding",
    "set_generator_states",
    "shards",
    "sum_of_squares",
    "train_step",
]


class Fit:
    """A mixin for Keras's trainer, which tells the model what a step has to know.

    Before `fit` trains, it calls

        model._see_batch_size(size)
            with the number of examples in one call of the step, or `None` if it is
            unknown. Where that is costly to find out, it asks `model._needs_batch_size`.
        model._see_weights()
            when the weights are there, if the model can be built without running a step.

    It also has Keras's compiled step read the variables of the model's state (rho, the
    epoch, what is remembered), where Keras passes the variables of a step by name.
    """


def train_step(step):
    """`step(model, data) -> logs`, which assigns variables, in the form in which the
    backend's trainer calls a model's `train_step`."""
    return step


def read(variables):
    """The variables' values as tensors, which can stand in for the variables."""
    return [variable.value for variable in variables]


def records(variables):
    """Whether gradients of the variables are being recorded."""
    return False


def differentiate(layers, fn, variables, weights, state, draws, at=None, inputs=()):
    """Runs `fn(*inputs) -> (loss, aux)`, a pass of the layers, and writes nothing.

    Args:
        layers: List of layers, however deep.
        fn: The callable.
        variables: List of the variables that are trained.
        weights: List of tensors that stand in for them.
        state: List of `(variable, value)` pairs that stand in for others.
        draws: What `Randomness().draws()` gives, the same for all passes of a step that
            are to see the same random numbers.
        at: Callable from weights to weights. With it, `at(weights)` stand in for the
            variables, and the gradients go back through it.
        inputs: List of tensors.

    Returns:
        `(loss, aux, gradients, updates)`: a gradient for each variable and then for each
        input, `None` where the loss does not depend on it, and the pairs that `fn` would
        have assigned.
    """
    return no_gradients()


def pullback(layers, fn, variables, weights, state, draws):
    """Runs `fn(scope) -> (tensors, aux)`, a part of a pass, and writes nothing.

    Args:
        fn: The callable. The scope has `losses`, a list of what layers add to the loss, and
            `updates`, a dict of the pairs that are assigned.

    The others are those of `differentiate`.

    Returns:
        `(tensors, aux, pull)`: `pull` takes gradients with respect to the tensors back to
        those of the variables, once.
    """
    return no_gradients()


def check_reach(layers, predict, variables, gradients, draws):
    """Raises where `predict()` uses a variable in a way that a tensor in its place would
    not see. The gradients are those of the loss, on tensors."""


def copied(data):
    """The data, or where a layer can change them in place, copies of them."""
    return data


def dense(gradient):
    """A gradient that is sparse (the rows of an embedding) as a tensor."""
    return gradient


def sum_of_squares(tensor):
    """A scalar, in the tensor's dtype."""
    return ops.sum(ops.square(tensor))


def scaled(tensors, factor):
    """The tensors times a scalar tensor; zeros where that is 0, even for NaN."""
    return [ops.where(factor == 0, ops.zeros_like(t), t * factor) for t in tensors]


def cond(predicate, yes, no):
    """`yes()` or `no()`, lists of tensors alike, by a scalar tensor. One of them runs."""
    return ops.cond(predicate, yes, no)


def mended(xs, ys, usable, skips):
    """The gradients xs; but where the scalar bool tensor `usable` is false, and unless
    `skips` is true, where an entry is not finite, that of ys. Where a y is `None`,
    zeros."""

    def mend(x, y):
        kept = ops.logical_and(usable, ops.logical_or(ops.isfinite(x), skips))
        return ops.where(kept, x, ops.zeros_like(x) if y is None else y)

    return [mend(x, y) for x, y in zip(xs, ys)]


def apply(optimizer, gradients, variables):
    """The optimizer's step."""
    optimizer.apply(gradients, variables)


def outside():
    """The scope of what the first step builds: the optimizer."""
    return contextlib.nullcontext()


def after_creating(fn):
    """What `fn` gives, which computes the metrics and may create variables of theirs.

    The passes may not: what they draw from, and what scales their loss, has to be there
    before them.
    """
    return fn()


def model_scope(model):
    """The scope under which variables of a model are added or set."""
    return contextlib.nullcontext()


def replicas(model):
    """The number of replicas that train together: the model's, or those around the code
    that runs where the model is `None`."""
    return 1


def in_scope(fn):
    """`fn()`, which reads variables and writes none, in the scope that passes need."""
    return fn()


def shards(model):
    """The number of replicas whose examples are in one call of the step."""
    return 1


def replica_index():
    """The number of the replica that the code runs for, if each runs it for itself."""
    return 0


def average(tensors, count):
    """The mean of each tensor over groups of `count` neighbouring replicas, of which each
    has a call of the step of its own."""
    return tensors


def check_rows(data, m):
    """Raises, when the step runs, where the tensors in `data` have less than m rows."""


def remembered(tensor, count):
    """A variable that begins as this tensor, and that no layer owns.

    If it is floating, each replica has its own value; `count` of them are in one call of
    the step, and where that is above 1 the variable has an axis of them before the others.
    """
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return keras.Variable(tensor, dtype=dtype, trainable=False, autocast=False)


def of_replicas(variable, count):
    """The values of a variable of `remembered(tensor, count)` as an array, with an axis of
    this process's replicas before the others."""
    return ops.convert_to_numpy(variable)[np.newaxis]


def assign_to_replicas(variable, values, count):
    """Sets them."""
    variable.assign(values[0])

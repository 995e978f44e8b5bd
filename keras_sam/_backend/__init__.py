"""What the step asks of a backend, and the only place that asks which one it is.

A backend module gives:

    train_step(step)
        `step(model, data) -> logs`, which assigns variables, in the form in which the
        backend's trainer calls a model's `train_step`.
    read(variables)
        The variables' values as tensors, which can stand in for the variables.
    records(variables)
        Whether gradients of the variables are being recorded.
    Randomness()
        How a model draws random numbers that are not Keras's. Its `draws()` are those of a
        step: all passes that are given the same `draws` see the same numbers.
    differentiate(model, fn, variables, weights, state, draws, at=None)
        Runs `fn() -> (loss, aux)`, a pass of `model`, with `weights` in the place of
        `variables`, and with the `(variable, value)` pairs of `state`, and writes nothing.
        With `at`, `at(weights)` are in their place, and the gradients go back through it.
        Returns `(loss, aux, gradients, updates)`: a gradient for each variable, `None`
        where the loss does not depend on it, and the pairs that `fn` would have assigned.
    copied(data)
        The data, or where a layer can change them in place, copies of them.
    dense(gradient)
        A gradient that is sparse (the rows of an embedding) as a tensor.
    sum_of_squares(tensor)
        A scalar, in the tensor's dtype.
    scaled(tensors, factor)
        The tensors times a scalar tensor; zeros where that is 0, even for NaN.
    cond(predicate, yes, no)
        `yes()` or `no()`, lists of tensors alike, by a scalar tensor. One of them runs.
    mended(xs, ys, usable, skips)
        The gradients xs; but where the scalar bool tensor `usable` is false, and unless
        `skips` is true, where an entry is not finite, that of ys. Where a y is `None`,
        zeros.
    fold(part, start, data, m, own)
        Runs `part(rows, state) -> (terms, state, outputs)` over groups of m successive
        rows of the tensors in `data`, of which the last may be short. State and terms are
        lists of tensors; the state goes from one group to the next. The first group to
        run gets `None`, for the `start()` that can be asked for once a part has run.
        Returns the terms' means over all rows, the last state, and the outputs' rows in
        order. Compiled, the program does not grow with the number of groups. The last
        terms are the values of the variables `own`, and are averaged within a replica.
    head(data, fraction)
        The first rows of the tensors in `data`: that part of all, rounded up.
    remembered(tensor, count)
        A variable that begins as this tensor, and that no layer owns. Of one of a floating
        dtype each replica has its own; `count` of them are in one call of the step.
    of_replicas(variable)
        Its values as an array, with an axis of this process's replicas before the others.
    assign_to_replicas(variable, values)
        Sets them.
    replica_index()
        The number of the replica that the code runs for, if each runs it for itself.
    check_rows(data, m)
        Raises, when the step runs, where the tensors in `data` have less than m rows.
    replicas(model)
        The number of replicas that train together.
    shards(model)
        The number of replicas whose examples are in one call of the step.
    average(tensors, count)
        The mean of each tensor over groups of `count` neighbouring replicas, of which
        each has a call of the step of its own.
    apply(optimizer, gradients, variables)
        The optimizer's step.
    Fit
        A mixin for Keras's trainer. Before `fit` trains, it calls the model's
        `_see_batch_size` with the number of examples in one call of the step, or `None`,
        and its `_see_weights`, if it can build the model without running a step.
    check_reach(model, predict, variables, gradients, draws)
        Raises where `predict()` uses a variable in a way that a tensor in its place would
        not see. The gradients are those of the loss, on tensors.
    model_scope(model)
        The scope under which variables of a model are added or set.

`trainer` mirrors the lines of Keras's own `train_step` that have no public name.
"""

try:
    import keras
except ImportError as error:
    raise ImportError(
        "keras_sam needs Keras 3 and one of its backends, and could not import them "
        f"({error}). Install what is missing with `pip install "
        "'keras_sam[tensorflow]'` (or `[jax]`, or `[torch]`), and name the backend in the "
        "environment variable `KERAS_BACKEND`."
    ) from error

if keras.backend.backend() == "tensorflow":
    from keras_sam._backend import tensorflow as backend
elif keras.backend.backend() == "jax":
    from keras_sam._backend import jax as backend
elif keras.backend.backend() == "torch":
    from keras_sam._backend import torch as backend
else:
    raise ImportError(
        "keras_sam runs on the TensorFlow, JAX and PyTorch backends of Keras. Received: "
        f"backend={keras.backend.backend()}. Set the environment variable "
        '`KERAS_BACKEND` to "tensorflow", "jax" or "torch" before Keras is imported.'
    )

Fit = backend.Fit
train_step = backend.train_step
read = backend.read
records = backend.records
Randomness = backend.Randomness
differentiate = backend.differentiate
copied = backend.copied
dense = backend.dense
sum_of_squares = backend.sum_of_squares
scaled = backend.scaled
cond = backend.cond
mended = backend.mended
fold = backend.fold
head = backend.head
remembered = backend.remembered
of_replicas = backend.of_replicas
assign_to_replicas = backend.assign_to_replicas
replica_index = backend.replica_index
check_rows = backend.check_rows
replicas = backend.replicas
shards = backend.shards
average = backend.average
apply = backend.apply
check_reach = backend.check_reach
model_scope = backend.model_scope

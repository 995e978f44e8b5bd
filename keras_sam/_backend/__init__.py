"""What the step asks of a backend, and the only place that asks which one it is.

A backend module gives:

    read(variables)
        The variables' values as tensors, which can stand in for the variables.
    differentiate(fn, variables, weights, state)
        Runs `fn() -> (loss, aux)` with `weights` in the place of `variables`, and with the
        `(variable, value)` pairs of `state`, and writes nothing. Returns
        `(loss, aux, gradients, updates)`: a gradient for each variable, `None` where the
        loss does not depend on it, and the pairs that `fn` would have assigned.
    dense(gradient)
        A gradient that is sparse (the rows of an embedding) as a tensor.
    fold(fn, data, m)
        Runs `fn(rows, state) -> (terms, state, outputs)` over groups of m successive rows
        of the tensors in `data`, of which the last may be short. State and terms are
        lists of tensors; the first group to run gets `None` for the state. Returns the
        terms' means over all rows, the last state, and the outputs' rows in order. The
        program does not grow with the number of groups, and runs one at a time.
    check_rows(data, m)
        Raises, when the step runs, where the tensors in `data` have less than m rows.
    replicas(model)
        The number of replicas that train together.
    average(tensors, count)
        The mean of each tensor over groups of `count` neighbouring replicas.
    Fit
        A mixin for Keras's trainer. Before `fit` trains, it calls the model's
        `_see_batch_size` with the number of examples on a replica, or `None`.
    check_reach(predict, variables, gradients)
        Raises where `predict()` uses a variable in a way that a tensor in its place would
        not see. The gradients are those of the loss, on tensors.
    model_scope(model)
        The scope under which variables are added to a model.

`trainer` mirrors the lines of Keras's own `train_step` that have no public name.
"""

try:
    import keras
except ImportError as error:
    raise ImportError(
        "keras_sam needs Keras 3 and TensorFlow, and could not import them "
        f"({error}). Install what is missing with "
        "`pip install 'keras_sam[tensorflow]'`."
    ) from error

if keras.backend.backend() == "tensorflow":
    from keras_sam._backend import tensorflow as backend
else:
    raise ImportError(
        "keras_sam runs on the TensorFlow backend of Keras. Received: "
        f"backend={keras.backend.backend()}. Set the environment variable "
        "`KERAS_BACKEND=tensorflow` before Keras is imported."
    )

read = backend.read
differentiate = backend.differentiate
dense = backend.dense
fold = backend.fold
Fit = backend.Fit
check_rows = backend.check_rows
replicas = backend.replicas
average = backend.average
check_reach = backend.check_reach
model_scope = backend.model_scope

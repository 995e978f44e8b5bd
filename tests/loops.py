"""Training loops as a user of each backend writes them."""

import keras

import keras_sam
from tests.helpers import BACKEND, array
from tests.models import small


def loss_of(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def fn(x, y):
        y_pred = keras_sam.predictions(model(x, training=True))
        return loss(y, y_pred) + sum(model.losses)

    return fn


def batches_of(x, y, size):
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


def train(grad, optimizer, batches, epochs=1):
    """Trains with Keras's optimizer.

    Returns:
        List of the `Result` of each step, with arrays.
    """
    loop = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND]
    return loop(grad, optimizer, batches, epochs)


def _tensorflow(grad, optimizer, batches, epochs):
    import tensorflow as tf

    optimizer.build(grad.variables)

    @tf.function
    def step(x, y, memory, epoch):
        result = grad(x, y, memory=memory, epoch=epoch)
        optimizer.apply(result.gradients, grad.variables)
        return result

    memory, results = grad.init(), []
    for epoch in range(epochs):
        for x, y in batches:
            result = step(tf.constant(x), tf.constant(y), memory, tf.constant(epoch))
            memory = result.memory
            results.append(_arrays(result))
    return results


def _jax(grad, optimizer, batches, epochs):
    import jax

    optimizer.build(grad.variables)

    @jax.jit
    def step(values, memory, x, y, epoch):
        trainable, others, slots = values
        result, others = grad.stateless_call(
            trainable, others, x, y, memory=memory, epoch=epoch
        )
        trainable, slots = optimizer.stateless_apply(slots, result.gradients, trainable)
        return (trainable, others, slots), result

    kinds = grad.variables, grad.non_trainable_variables, optimizer.variables
    values = tuple([v.value for v in kind] for kind in kinds)
    memory, results = grad.init(), []
    for epoch in range(epochs):
        for x, y in batches:
            values, result = step(values, memory, x, y, epoch)
            memory = result.memory
            results.append(_arrays(result))
    for kind, tensors in zip(kinds, values):
        for variable, tensor in zip(kind, tensors):
            variable.assign(tensor)
    return results


def _torch(grad, optimizer, batches, epochs):
    import torch

    memory, results = grad.init(), []
    for epoch in range(epochs):
        for x, y in batches:
            result = grad(torch.tensor(x), torch.tensor(y), memory=memory, epoch=epoch)
            memory = result.memory
            with torch.no_grad():
                optimizer.apply(result.gradients, grad.variables)
            results.append(_arrays(result))
    return results


def _arrays(result):
    return keras.tree.map_structure(lambda t: None if t is None else array(t), result)


def both(m=None, **settings):
    """A sharpness-aware model, and the same network with its `value_and_grad`."""
    keras.utils.set_random_seed(1)
    model = keras_sam.SAMModel(*small(), m=m, **settings)
    network = keras.Model(*small())
    network.set_weights(model.get_weights())
    return model, network

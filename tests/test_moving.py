"""docs/moving.md: what others do, and the lines of keras_sam, give the same numbers."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import array, assert_identical, only_on
from tests.peers import RATE, RHO, batches, by_optax, ours

TOLERANCE = 1e-9  # In float64.


def network(weights):
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, activation="relu", use_bias=False)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(x))
    model.set_weights(weights)
    return model


def initial():
    return ours()[0]


def assert_close(model, expected):
    weights = [array(w) for w in model.trainable_weights]
    assert_identical(weights, list(map(array, expected)), TOLERANCE)


@only_on("tensorflow", "tf_keras is TensorFlow's")
def test_tf_keras():
    """In float32. Its class adds up the gradients of its splits."""
    tf_keras = pytest.importorskip("tf_keras", reason="The package is missing.")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 4)).astype("float32"), rng.normal(size=(8, 2))
    theirs = tf_keras.Sequential(
        [tf_keras.layers.Dense(5, activation="relu"), tf_keras.layers.Dense(2)]
    )
    theirs.build((None, 4))
    net = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, activation="relu"), keras.layers.Dense(2)]
    )
    net.set_weights(theirs.get_weights())
    model = tf_keras.models.experimental.SharpnessAwareMinimization(
        theirs, rho=RHO, num_batch_splits=2
    )
    model.compile(tf_keras.optimizers.SGD(RATE), "mse")
    model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    model = keras_sam.SAMModel.from_model(net, rho=RHO, m=4)
    model.compile(keras.optimizers.SGD(2 * RATE), "mse")
    model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    assert_identical(net.get_weights(), theirs.get_weights(), 1e-5)


@only_on("tensorflow", "It is written for TensorFlow.")
@pytest.mark.usefixtures("float64")
def test_a_train_step():
    import tensorflow as tf

    class Theirs(keras.Model):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def call(self, x):
            return self.net(x)

        def gradients(self, x, y):
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            return tape.gradient(loss, self.trainable_variables)

        def train_step(self, data):
            weights = self.trainable_variables
            g = self.gradients(*data[:2])
            moves = [RHO * one / tf.linalg.global_norm(g) for one in g]
            for w, move in zip(weights, moves):
                w.assign_add(move)
            g = self.gradients(*data[:2])
            for w, move in zip(weights, moves):
                w.assign_sub(move)
            self.optimizer.apply_gradients(zip(g, weights))
            return {}

    before = initial()
    theirs, net = network(before), network(before)
    for model in (Theirs(theirs), keras_sam.SAMModel.from_model(net, rho=RHO)):
        model.compile(keras.optimizers.SGD(RATE), "mse")
        for x, y in batches():
            model.train_on_batch(x, y)
    assert_close(net, theirs.trainable_weights)


def in_a_loop_of_torch(net, optimizer):
    import torch

    grad = keras_sam.value_and_grad(lambda x, y: ((net(x) - y) ** 2).mean(), net, rho=RHO)
    for x, y in batches():
        result = grad(torch.tensor(x), torch.tensor(y))
        for variable, gradient in zip(grad.variables, result.gradients):
            variable.value.grad = gradient
        optimizer.step()


@only_on("torch", "It is PyTorch's.")
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("way", ["two closures", "one closure"])
def test_a_closure(way):
    """davda54's way, and pytorch_optimizer's own."""
    package = pytest.importorskip("pytorch_optimizer", reason="The package is missing.")
    import torch

    before, momentum = initial(), {"lr": RATE, "momentum": 0.9}
    weights = [torch.nn.Parameter(torch.tensor(w)) for w in before]
    optimizer = package.SAM(weights, torch.optim.SGD, rho=RHO, **momentum)
    for x, y in batches():
        x, y = torch.tensor(x), torch.tensor(y)

        def closure(x=x, y=y):
            loss = ((torch.relu(x @ weights[0]) @ weights[1] - y) ** 2).mean()
            loss.backward()
            return loss

        closure()
        if way == "one closure":
            optimizer.step(closure)
            optimizer.zero_grad()
        else:
            optimizer.first_step(zero_grad=True)
            closure()
            optimizer.second_step(zero_grad=True)
    net = network(before)
    in_a_loop_of_torch(net, torch.optim.SGD(net.parameters(), **momentum))
    for w, theirs in zip(net.trainable_weights, weights):
        # It takes the norm in float32.
        np.testing.assert_allclose(array(w), theirs.detach().cpu().numpy(), rtol=1e-6)


@only_on("jax", "`optax` is JAX's")
@pytest.mark.usefixtures("float64")
def test_optax_with_a_schedule():
    optax = pytest.importorskip("optax", reason="The package is missing.")
    import jax
    from jax import numpy as jnp

    before = initial()
    rate = optax.cosine_decay_schedule(RATE, 5)
    weights = by_optax(before, rate)
    net = network(before)
    grad = keras_sam.value_and_grad(lambda x, y: jnp.mean((net(x) - y) ** 2), net, rho=RHO)
    optimizer = optax.sgd(rate)

    @jax.jit
    def step(values, slots, x, y):
        result, _ = grad.stateless_call(values, [], x, y)
        updates, slots = optimizer.update(result.gradients, slots, values)
        return optax.apply_updates(values, updates), slots

    values = [v.value for v in grad.variables]
    slots = optimizer.init(values)
    for x, y in batches():
        values, slots = step(values, slots, x, y)
    assert_identical(list(map(array, values)), list(map(array, weights)), TOLERANCE)

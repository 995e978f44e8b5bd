"""A small regression in float64, by keras_sam and by optax."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import array

RHO, RATE, STEPS = 0.2, 0.1, 5


def batches():
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        yield rng.normal(size=(6, 4)), rng.normal(size=(6, 2))


def ours(**parts):
    """The initial weights, and those after some steps."""
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, activation="relu", use_bias=False)(inputs)
    outputs = keras.layers.Dense(2, use_bias=False)(x)
    model = keras_sam.SAMModel(inputs, outputs, rho=RHO, **parts)
    model.compile(keras.optimizers.SGD(RATE), "mse")
    before = [array(w) for w in model.trainable_weights]
    for batch in batches():
        model.train_on_batch(*batch)
    return before, [array(w) for w in model.trainable_weights]


def by_optax(weights, rate):
    """The weights after these steps by `optax.contrib.sam`.

    Args:
        weights: List of arrays, at first.
        rate: Float, or a schedule of optax's.
    """
    optax = pytest.importorskip("optax", reason="The package is missing.")
    import jax
    from jax import numpy as jnp

    weights = list(map(jnp.asarray, weights))
    adversary = optax.chain(optax.contrib.normalize(), optax.sgd(RHO))
    optimizer = optax.contrib.sam(optax.sgd(rate), adversary, opaque_mode=True)
    state = optimizer.init(weights)
    for x, y in batches():

        def loss(weights, x=x, y=y):
            return jnp.mean((jax.nn.relu(x @ weights[0]) @ weights[1] - y) ** 2)

        updates, state = optimizer.update(
            jax.grad(loss)(weights),
            state,
            weights,
            grad_fn=jax.grad(lambda weights, _, loss=loss: loss(weights)),
        )
        weights = optax.apply_updates(weights, updates)
    return weights

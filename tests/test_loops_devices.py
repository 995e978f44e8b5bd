"""On several devices, a training loop of one's own is `SAMModel`'s there."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from keras_sam import ascents
from tests import loops
from tests.helpers import array, assert_identical, only_on
from tests.models import classify, rows

BATCH = 16
DATA = rows(3 * BATCH)
RULES = {"paper": lambda: None, "remembers": lambda: ascents.Friendly()}
CASES = pytest.mark.parametrize(
    "m, rule",
    [
        (None, "paper"),
        (None, "remembers"),
        ("global", "remembers"),
        (2, "paper"),
        (8, "paper"),
    ],
)


def network():
    inputs = keras.Input((8,))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(4)(inputs)))
    return inputs, layers.Dense(3)(x)


def loop(m, ascent):
    keras.utils.set_random_seed(1)
    model = keras.Model(*network())
    grad = keras_sam.value_and_grad(
        loops.loss_of(model), model, rho=0.5, m=m, ascent=ascent()
    )
    return model, grad, keras.optimizers.SGD(0.1, momentum=0.9)


def trained_by_fit(m, ascent, strategy=None):
    keras.utils.set_random_seed(1)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        model = classify(keras_sam.SAMModel(*network(), rho=0.5, m=m, ascent=ascent()))
    model.fit(*DATA, batch_size=BATCH, shuffle=False, verbose=0)
    return [array(w) for w in model.weights]


@only_on("tensorflow", "`tf.distribute` is TensorFlow's")
@CASES
def test_a_strategy(m, rule):
    import tensorflow as tf

    from tests.replicas import mirrored

    strategy, ascent = mirrored(4), RULES[rule]
    with strategy.scope():
        model, grad, optimizer = loop(m, ascent)
        optimizer.build(model.trainable_weights)

    @tf.function
    def step(x, y, memory):
        def replica(x, y, memory):
            # Keras's losses divide by the replicas, and the optimizer adds up.
            result = grad(x, y, memory=memory)
            optimizer.apply_gradients(zip(result.gradients, grad.variables))
            return result.memory

        return strategy.run(replica, args=(x, y, memory))

    def spread(array):
        parts = np.split(array, 4)
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    memory = strategy.run(grad.init)
    for x, y in loops.batches_of(*DATA, BATCH):
        memory = step(spread(x), spread(y), memory)
    weights = [array(w) for w in model.weights]
    assert_identical(weights, trained_by_fit(m, ascent, mirrored(4)), rtol=2e-5)


@only_on("jax", "`keras.distribution` is JAX's")
@pytest.mark.parametrize("rule", RULES)
def test_a_batch_that_is_one_group(rule):
    """Without a memory of each replica it is no more than one perturbation."""
    from tests.jax_devices import data_parallel

    keras.distribution.set_distribution(data_parallel(4)())
    try:
        _, grad, _ = loop(BATCH, RULES[rule])
        if rule == "remembers":
            with pytest.raises(ValueError, match="Each replica has a memory of its own"):
                grad(*rows(BATCH), memory=grad.init())
        else:
            assert np.isfinite(float(grad(*rows(BATCH)).loss))
    finally:
        keras.distribution.set_distribution(None)


@only_on("jax", "`keras.distribution` is JAX's")
@CASES
@pytest.mark.usefixtures("splits")
def test_a_mesh(m, rule):
    import jax
    from jax.sharding import NamedSharding, PartitionSpec

    from tests.jax_devices import data_parallel

    distribution, ascent = data_parallel(4)(), RULES[rule]
    keras.distribution.set_distribution(distribution)
    try:
        model, grad, optimizer = loop(m, ascent)
        mesh = distribution.device_mesh.backend_mesh
        by_rows = NamedSharding(mesh, PartitionSpec(distribution.batch_dim_name))
        batches = loops.batches_of(*DATA, BATCH)
        loops.train(grad, optimizer, [jax.device_put(b, by_rows) for b in batches])
        assert all(len(w.value.sharding.device_set) == 4 for w in model.weights)
        expected = trained_by_fit(m, ascent)
    finally:
        keras.distribution.set_distribution(None)
    assert_identical([array(w) for w in model.weights], expected, rtol=2e-5)

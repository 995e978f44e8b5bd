"""Ways to train under a strategy, and which of them cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import BACKEND, assert_identical
from tests.models import classify
from tests.plain import assert_like_plain
from tests.replicas import BATCH, DATA, fit, mirrored, network, trainable

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="`tf.distribute` is TensorFlow's"
)


@pytest.mark.slow
@pytest.mark.parametrize("m", [None, "global"])
def test_synchronized_batch_norm(m):
    many, _ = fit(DATA, mirrored(2), m, make=lambda: network(synchronized=True))
    if m == "global":
        one, _ = fit(DATA, None, None)
        for a, b in zip(trainable(many), trainable(one)):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert np.isfinite(trainable(many)[0]).all()


def test_synchronized_batch_norm_below_the_replicas_batch():
    with pytest.raises(ValueError, match=r"batch statistics .* synchronized=True"):
        fit(DATA, mirrored(2), 4, make=lambda: network(synchronized=True))


@pytest.mark.parametrize("m", [13, 24, 32])
def test_an_m_that_cannot_be_met(m):
    message = f"Received: m={m}, with 4 examples on each replica and 4 replicas"
    with pytest.raises(ValueError, match=message):
        fit(DATA, mirrored(4), m)


@pytest.mark.slow
def test_another_batch_size_in_another_fit():
    def make():
        keras.utils.set_random_seed(1)
        with mirrored(4).scope():
            return classify(keras_sam.SAMModel(*network(False), rho=0.5, m=8), "sgd")

    again = make()
    start = again.get_weights()
    # At first two replicas share a perturbation, then none do, then two.
    for batch_size in (BATCH, 2 * BATCH, BATCH):
        fresh = make()
        again.set_weights(start)
        for model in (fresh, again):
            model.fit(*DATA, batch_size=batch_size, shuffle=False, verbose=0)
        assert_identical(trainable(again), trainable(fresh))


def test_a_loop_of_the_users_own(literal_graphs):
    def train(strategy, m, batch_size, steps):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            model = classify(keras_sam.SAMModel(*network(), rho=0.5, m=m))
            model.optimizer.build(model.trainable_weights)

        @tf.function
        def step(iterator):
            return strategy.run(model.train_step, args=(next(iterator),))

        data = tf.data.Dataset.from_tensor_slices(DATA).batch(batch_size)
        iterator = iter(strategy.experimental_distribute_dataset(data))
        for _ in range(steps):
            step(iterator)
        return model

    model = train(mirrored(2), 8, BATCH, 8)
    expected, _ = fit(DATA, mirrored(2), 8)
    assert_identical(trainable(model), trainable(expected))
    # Nothing says that these replicas' batches of 4 are not short ones.
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`m` is larger than a replica"
    ):
        train(mirrored(2), 8, 8, 1)


def test_central_storage():
    # One replica on this machine, and all that Keras itself supports.
    strategy = tf.distribute.experimental.CentralStorageStrategy()

    def make(model_class):
        with strategy.scope():
            return classify(model_class(*network()))

    assert_like_plain(make, lambda model: model.fit(*DATA, verbose=0).history)


PARAMETER_SERVER = """
import os
import socket

import tensorflow as tf

import keras_sam
from tests.models import classify, random_images
from tests.replicas import network

sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
ports = [s.getsockname()[1] for s in sockets]
for s in sockets:
    s.close()
cluster = {name: [f"localhost:{port}"] for name, port in zip(("worker", "ps"), ports)}
cluster = tf.train.ClusterSpec(cluster)
servers = [tf.distribute.Server(cluster, job, 0) for job in ("worker", "ps")]
resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(cluster, rpc_layer="grpc")
strategy = tf.distribute.ParameterServerStrategy(resolver)
with strategy.scope():
    model = classify(keras_sam.SAMModel(*network()))
try:
    model.fit(*random_images(32), verbose=0)
except ValueError as error:
    print(error, flush=True)
os._exit(0)
"""


def test_parameter_servers():
    process = subprocess.run(
        [sys.executable, "-c", PARAMETER_SERVER],
        cwd=Path(__file__).parents[1],
        env={k: v for k, v in os.environ.items() if k != "TF_CONFIG"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    message = "Keras 3 does not train under `tf.distribute.ParameterServerStrategy`"
    assert message in process.stdout, process.stderr


@pytest.mark.parametrize("m", [None, 4])
def test_a_dataset_that_is_distributed_already(m):
    """The same as Keras makes of the dataset itself."""
    strategy = mirrored(2)
    data = tf.data.Dataset.from_tensor_slices(DATA).batch(BATCH)

    def of_replica(context):
        shard = data.unbatch().batch(BATCH // 2).repeat()
        return shard.shard(context.num_input_pipelines, context.input_pipeline_id)

    distributed = strategy.experimental_distribute_dataset(data)
    expected, logs = _fit(data, strategy, m)
    actual, same = _fit(distributed, strategy, m)
    assert logs == same
    assert_identical(trainable(actual), trainable(expected))
    by_function = strategy.distribute_datasets_from_function(of_replica)
    history = actual.fit(by_function, steps_per_epoch=4, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(actual.evaluate(by_function, steps=4, verbose=0)).all()


def _fit(data, strategy, m):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = classify(keras_sam.SAMModel(*network(), rho=0.5, m=m))
    return model, model.fit(data, epochs=2, shuffle=False, verbose=0).history


def test_a_rho_that_is_too_small_is_said_of_replicas():
    """The advice reads rho, of which each replica has a copy."""
    with mirrored(2).scope():
        model = classify(keras_sam.SAMModel(*network(), rho=1e-30))
        with pytest.warns(UserWarning, match="rho"):
            model.fit(*DATA, batch_size=BATCH, verbose=0)

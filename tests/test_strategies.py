"""Several replicas, each with its own perturbation, and one device with m like them."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.conftest import (
    assert_identical,
    assert_like_plain,
    classify,
    long_if_eager,
    random_images,
)

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="`tf.distribute` is TensorFlow's"
)

BATCH = 16


@pytest.fixture
def batches():
    return random_images(8 * BATCH)


def mirrored(replicas):
    # The default reduction has one number of replicas in a process, and for all of it.
    return tf.distribute.MirroredStrategy(
        [f"CPU:{i}" for i in range(replicas)],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


def network(batch_norm=True, synchronized=False):
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    if batch_norm:
        x = layers.BatchNormalization(synchronized=synchronized)(x)
    x = layers.Flatten()(layers.ReLU()(x))
    return inputs, layers.Dense(3)(x)


def fit(batches, strategy, m, epochs=1, make=network, **kwargs):
    """The trained model and its logs, from the same weights on the same batches."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        model = classify(keras_sam.SAMModel(*make(), rho=0.5, m=m), **kwargs)
    history = model.fit(
        *batches, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0
    ).history
    return model, history


def trainable(model):
    return [keras.ops.convert_to_numpy(v) for v in model.trainable_weights]


@pytest.mark.parametrize("mode", long_if_eager([{}, {"run_eagerly": True}]))
@pytest.mark.parametrize("replicas", [2, 4])
def test_one_device_with_m(batches, replicas, mode, literal_graphs):
    strategy = mirrored(replicas)
    many, logs = fit(batches, strategy, None, **mode)
    one, expected = fit(batches, None, BATCH // replicas, **mode)
    assert_identical(trainable(many), trainable(one))
    for name, values in expected.items():
        np.testing.assert_allclose(logs[name], values, rtol=1e-5)


def test_it_is_so_with_tensorflows_graph_optimizer(batches):
    many, _ = fit(batches, mirrored(2), None)
    one, _ = fit(batches, None, BATCH // 2)
    assert_identical(trainable(many), trainable(one))


def exact_network():
    inputs = keras.Input((8, 8, 1))
    return inputs, layers.Dense(2, use_bias=False)(layers.Flatten()(inputs))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("replicas", [2, 4])
def test_it_is_so_below_the_replicas_batch(replicas, groups):
    # In these numbers all sums are exact, and so the same in every order: on replicas
    # the groups are summed first within each of them.
    rng = np.random.default_rng(0)
    x = rng.integers(-1, 2, (48, 8, 8, 1)).astype("float32")
    y = rng.integers(-1, 2, (48, 2)).astype("float32")
    m = BATCH // replicas // groups
    start = rng.integers(-4, 5, (64, 2)) / 4
    weights = []
    for strategy in (mirrored(replicas), None):
        with contextlib.nullcontext() if strategy is None else strategy.scope():
            ascent = keras_sam.ascents.LpBall(p=float("inf"))
            model = keras_sam.SAMModel(*exact_network(), rho=0.25, m=m, ascent=ascent)
            model.compile(keras.optimizers.SGD(1.0), "mse")
        model.set_weights([start])
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
        weights.append(trainable(model))
    assert_identical(*weights)
    assert np.any(weights[0][0] != start)


@pytest.mark.slow
def test_below_the_replicas_batch_with_batch_norm(batches):
    many, logs = fit(batches, mirrored(2), BATCH // 4)
    one, expected = fit(batches, None, BATCH // 4)
    for a, b in zip(trainable(many), trainable(one)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(logs["sharpness"], expected["sharpness"], rtol=1e-4)
    whole, _ = fit(batches, mirrored(2), None)
    assert not np.allclose(trainable(many)[0], trainable(whole)[0], rtol=1e-3)


@pytest.mark.parametrize(
    "replicas, m, alone", [(2, 16, 16), (4, 8, 8), (4, 16, 16), (4, "global", 16)]
)
def test_above_the_replicas_batch(batches, replicas, m, alone):
    many, logs = fit(batches, mirrored(replicas), m, make=lambda: network(False))
    one, expected = fit(batches, None, alone, make=lambda: network(False))
    for a, b in zip(trainable(many), trainable(one)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(logs["sharpness"], expected["sharpness"], rtol=1e-4)


@pytest.mark.parametrize("m, reductions", [(None, 1), (2, 1), ("global", 2), (8, 3)])
def test_replicas_communicate_no_more_than_needed(batches, monkeypatch, m, reductions):
    # Once for the optimizer's gradients; for shared perturbations once for all replicas,
    # or once for each group of them.
    calls = []
    all_reduce = tf.distribute.ReplicaContext.all_reduce

    def counted(self, *args, **kwargs):
        calls.append(self)
        return all_reduce(self, *args, **kwargs)

    monkeypatch.setattr(tf.distribute.ReplicaContext, "all_reduce", counted)
    fit([a[:BATCH] for a in batches], mirrored(4), m)
    assert len(calls) == 4 * reductions


@pytest.mark.slow
def test_copies_of_the_weights_stay_identical(batches):
    strategy = mirrored(4)
    with strategy.scope():
        inputs, outputs = network()
        outputs = layers.Dropout(0.5)(outputs)
        model = classify(keras_sam.SAMModel(inputs, outputs, rho=0.5, m=2), "adam")
    # The last batch has 7 examples: not equally many on each replica.
    model.fit(*(a[:55] for a in batches), batch_size=BATCH, epochs=50, verbose=0)
    for variable in [*model.trainable_weights, *model.optimizer.variables]:
        copies = [c.numpy() for c in strategy.experimental_local_results(variable.value)]
        assert len(copies) == 4
        for copy in copies[1:]:
            np.testing.assert_array_equal(copy, copies[0])


def test_without_a_perturbation_it_is_plain_training(batches):
    strategy = mirrored(2)

    def make(model_class):
        with strategy.scope():
            return classify(model_class(*network()))

    def train(model):
        history = model.fit(*batches, batch_size=BATCH, epochs=2, verbose=0).history
        return history | model.evaluate(*batches, verbose=0, return_dict=True)

    assert_like_plain(make, train)


@pytest.mark.slow
@pytest.mark.parametrize("m", [None, "global"])
def test_synchronized_batch_norm(batches, m):
    many, _ = fit(batches, mirrored(2), m, make=lambda: network(synchronized=True))
    if m == "global":
        one, _ = fit(batches, None, None)
        for a, b in zip(trainable(many), trainable(one)):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert np.isfinite(trainable(many)[0]).all()


def test_synchronized_batch_norm_below_the_replicas_batch(batches):
    with pytest.raises(ValueError, match=r"batch statistics .* synchronized=True"):
        fit(batches, mirrored(2), 4, make=lambda: network(synchronized=True))


@pytest.mark.parametrize("m", [13, 24, 32])
def test_an_m_that_cannot_be_met(batches, m):
    message = f"Received: m={m}, with 4 examples on each replica and 4 replicas"
    with pytest.raises(ValueError, match=message):
        fit(batches, mirrored(4), m)


@pytest.mark.slow
def test_another_batch_size_in_another_fit(batches):
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
            model.fit(*batches, batch_size=batch_size, shuffle=False, verbose=0)
        assert_identical(trainable(again), trainable(fresh))


def test_a_loop_of_the_users_own(batches, literal_graphs):
    def train(strategy, m, batch_size, steps):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            model = classify(keras_sam.SAMModel(*network(), rho=0.5, m=m))
            model.optimizer.build(model.trainable_weights)

        @tf.function
        def step(iterator):
            return strategy.run(model.train_step, args=(next(iterator),))

        data = tf.data.Dataset.from_tensor_slices(batches).batch(batch_size)
        iterator = iter(strategy.experimental_distribute_dataset(data))
        for _ in range(steps):
            step(iterator)
        return model

    model = train(mirrored(2), 8, BATCH, 8)
    expected, _ = fit(batches, mirrored(2), 8)
    assert_identical(trainable(model), trainable(expected))
    # Nothing says that these replicas' batches of 4 are not short ones.
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`m` is larger than a replica"
    ):
        train(mirrored(2), 8, 8, 1)


def test_central_storage(batches):
    # One replica on this machine, and all that Keras itself supports.
    strategy = tf.distribute.experimental.CentralStorageStrategy()

    def make(model_class):
        with strategy.scope():
            return classify(model_class(*network()))

    assert_like_plain(make, lambda model: model.fit(*batches, verbose=0).history)


PARAMETER_SERVER = """
import os
import socket

import tensorflow as tf

import keras_sam
from tests.conftest import classify, random_images
from tests.test_strategies import network

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

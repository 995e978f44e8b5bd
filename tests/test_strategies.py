"""Several replicas, each with its own perturbation, and one device with m like them."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.helpers import assert_identical, long_if_eager
from tests.models import classify
from tests.plain import assert_like_plain
from tests.replicas import BATCH, DATA, fit, mirrored, network, trainable

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="`tf.distribute` is TensorFlow's"
)


@pytest.mark.parametrize("mode", long_if_eager([{}, {"run_eagerly": True}]))
@pytest.mark.parametrize("replicas", [2, 4])
def test_one_device_with_m(replicas, mode, literal_graphs):
    strategy = mirrored(replicas)
    many, logs = fit(DATA, strategy, None, **mode)
    one, expected = fit(DATA, None, BATCH // replicas, **mode)
    assert_identical(trainable(many), trainable(one))
    for name, values in expected.items():
        np.testing.assert_allclose(logs[name], values, rtol=1e-5)


def test_it_is_so_with_tensorflows_graph_optimizer():
    many, _ = fit(DATA, mirrored(2), None)
    one, _ = fit(DATA, None, BATCH // 2)
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
def test_below_the_replicas_batch_with_batch_norm():
    many, logs = fit(DATA, mirrored(2), BATCH // 4)
    one, expected = fit(DATA, None, BATCH // 4)
    for a, b in zip(trainable(many), trainable(one)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(logs["sharpness"], expected["sharpness"], rtol=1e-4)
    whole, _ = fit(DATA, mirrored(2), None)
    assert not np.allclose(trainable(many)[0], trainable(whole)[0], rtol=1e-3)


@pytest.mark.parametrize(
    "replicas, m, alone", [(2, 16, 16), (4, 8, 8), (4, 16, 16), (4, "global", 16)]
)
def test_above_the_replicas_batch(replicas, m, alone):
    many, logs = fit(DATA, mirrored(replicas), m, make=lambda: network(False))
    one, expected = fit(DATA, None, alone, make=lambda: network(False))
    for a, b in zip(trainable(many), trainable(one)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(logs["sharpness"], expected["sharpness"], rtol=1e-4)


@pytest.mark.parametrize("m, reductions", [(None, 1), (2, 1), ("global", 2), (8, 3)])
def test_replicas_communicate_no_more_than_needed(monkeypatch, m, reductions):
    # Once for the optimizer's gradients; for shared perturbations once for all replicas,
    # or once for each group of them.
    calls = []
    all_reduce = tf.distribute.ReplicaContext.all_reduce

    def counted(self, *args, **kwargs):
        calls.append(self)
        return all_reduce(self, *args, **kwargs)

    monkeypatch.setattr(tf.distribute.ReplicaContext, "all_reduce", counted)
    fit([a[:BATCH] for a in DATA], mirrored(4), m)
    assert len(calls) == 4 * reductions


@pytest.mark.slow
def test_copies_of_the_weights_stay_identical():
    strategy = mirrored(4)
    with strategy.scope():
        inputs, outputs = network()
        outputs = layers.Dropout(0.5)(outputs)
        model = classify(keras_sam.SAMModel(inputs, outputs, rho=0.5, m=2), "adam")
    # The last batch has 7 examples: not equally many on each replica.
    model.fit(*(a[:55] for a in DATA), batch_size=BATCH, epochs=50, verbose=0)
    for variable in [*model.trainable_weights, *model.optimizer.variables]:
        copies = [c.numpy() for c in strategy.experimental_local_results(variable.value)]
        assert len(copies) == 4
        for copy in copies[1:]:
            np.testing.assert_array_equal(copy, copies[0])


def test_without_a_perturbation_it_is_plain_training():
    strategy = mirrored(2)

    def make(model_class):
        with strategy.scope():
            return classify(model_class(*network()))

    def train(model):
        history = model.fit(*DATA, batch_size=BATCH, epochs=2, verbose=0).history
        return history | model.evaluate(*DATA, verbose=0, return_dict=True)

    assert_like_plain(make, train)

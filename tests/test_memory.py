"""What a part remembers on several replicas: made of each one's own gradients, and kept."""

import contextlib

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents
from tests.helpers import BACKEND, array, assert_identical, only_on
from tests.memories import (
    LOCAL,
    REMEMBERING,
    REPLICAS,
    data,
    make,
    memory,
    network,
    replicated,
    train,
)
from tests.models import classify

pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras trains on one device on PyTorch"
)


def part_of_replica(x, r):
    """The rows that replica r sees, batch after batch."""
    return x.reshape(-1, REPLICAS, LOCAL, *x.shape[1:])[:, r].reshape(-1, *x.shape[1:])


@pytest.mark.parametrize("name", REMEMBERING)
def test_each_replica_remembers_its_own(name):
    """At a rate of 0 replicas are devices that know nothing of each other."""
    x, y = data()
    alone = []
    for r in range(REPLICAS):
        model = make(name, rate=0.0)
        train(model, part_of_replica(x, r), part_of_replica(y, r), LOCAL)
        alone.append(memory(model))
    with replicated():
        model = train(make(name, rate=0.0), x, y, REPLICAS * LOCAL)
        together = memory(model)
    for both, one, other in zip(together, *alone):
        assert both.shape[0] == REPLICAS
        np.testing.assert_allclose(both, np.concatenate([one, other]), rtol=1e-4, atol=1e-6)
    assert not np.allclose(together[0][0], together[0][1])


@pytest.mark.parametrize("name", REMEMBERING)
def test_a_resumed_run_is_the_uninterrupted_one(name, tmp_path):
    x, y = data()
    with replicated():
        model = train(make(name), x, y, REPLICAS * LOCAL)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        for each in (model, loaded):
            train(each, x, y, REPLICAS * LOCAL)
        for a, b in zip(memory(loaded), memory(model)):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert_identical(loaded.get_weights(), model.get_weights(), rtol=1e-5)


@pytest.mark.parametrize("saved, resumed", [(REPLICAS, 1), (1, REPLICAS)])
def test_another_number_of_replicas_begins_with_the_mean(saved, resumed, tmp_path):
    x, y = data()
    with replicated(saved) if saved > 1 else contextlib.nullcontext():
        model = train(make("averaged"), x, y, 8)
        model.save(tmp_path / "model.keras")
        before = memory(model)
    with replicated(resumed) if resumed > 1 else contextlib.nullcontext():
        loaded = keras.models.load_model(tmp_path / "model.keras")
        loaded.optimizer.learning_rate = 0.0
        loaded._see_weights()
        after = memory(loaded)
        train(loaded, x, y, 8)
    for a, b in zip(after, before):
        assert len(b) == saved and len(a) == resumed
        np.testing.assert_allclose(a, np.broadcast_to(b.mean(0), a.shape), rtol=1e-5)


# On TensorFlow a half of the batch is a half of each replica's: see `test_schedules`.
@pytest.mark.parametrize("name", [name for name in REMEMBERING if "half" not in name])
def test_the_global_step_is_one_devices(name):
    """With one perturbation for all replicas they remember what one device does."""
    x, y = data()
    one = train(make(name), x, y, REPLICAS * LOCAL)
    expected = memory(one), one.get_weights()
    with replicated():
        many = train(make(name, m="global"), x, y, REPLICAS * LOCAL)
        for copies, single in zip(memory(many), expected[0]):
            for copy in copies:
                np.testing.assert_allclose(copy, single[0], rtol=1e-4, atol=1e-6)
    assert_identical(many.get_weights(), expected[1], rtol=1e-4)


def test_a_descent_with_two_gradients_is_one_devices():
    x, y = data()
    results = []
    for scope in (contextlib.nullcontext(), replicated()):
        with scope:
            model = make("averaged", m="global", descent=descents.GSAM(0.5))
            results.append(train(model, x, y, REPLICAS * LOCAL).get_weights())
    assert_identical(results[1], results[0], rtol=1e-4)


def test_random_directions_of_replicas_differ():
    seen = []

    class Seen(ascents.RandomDirection):
        def direction(self, gradients, memory):
            directions = super().direction(gradients, memory)
            seen.append(directions[0])
            return directions

    if BACKEND == "jax":
        pytest.skip("All replicas are one call of the step.")
    with replicated():
        model = keras_sam.SAMModel(*network(), ascent=Seen(seed=1))
        classify(model, run_eagerly=True)
        train(model, *data(1), REPLICAS * LOCAL)
    assert len(seen) == REPLICAS
    assert not np.allclose(array(seen[0]), array(seen[1]))


@only_on("tensorflow", "Strategies are TensorFlow's.")
def test_it_cannot_begin_in_a_loop_on_replicas():
    import tensorflow as tf

    x, y = data(1)
    with replicated():
        model = make("averaged")
        strategy = tf.distribute.get_strategy()
    batch = tf.constant(x), tf.constant(y)
    with pytest.raises(ValueError, match="Use `fit` or `train_on_batch`"):
        strategy.run(model.train_step, args=(batch,))
    train(model, x, y, REPLICAS * LOCAL)
    strategy.run(model.train_step, args=(batch,))
    assert len(memory(model)[0]) == REPLICAS

"""Schedules that compose: when, on how many examples, and what happens in between."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import schedules
from tests.helpers import BACKEND, MODES, array, assert_identical
from tests.memories import LOCAL, REPLICAS, network, replicated
from tests.models import classify, rows, small
from tests.rules import SOME


@pytest.mark.parametrize("name", SOME)
def test_configs(name):
    plain = SOME[name]()
    assert not {"fraction"} & plain.get_config().keys()
    composed = SOME[name](fraction=0.25, reuse=0.5)
    config = keras.saving.serialize_keras_object(composed)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == composed.get_config()
    assert (copy.fraction, copy.reuse) == (0.25, 0.5)
    assert "fraction=0.25" in repr(copy) and "reuse=0.5" in repr(copy)


def test_configs_of_version_0_1_0():
    def loaded(name, **config):
        return keras.saving.deserialize_keras_object(
            {
                "module": "keras_sam.schedules.schedule",
                "class_name": name,
                "config": config,
                "registered_name": f"keras_sam>{name}",
            }
        )

    assert loaded("Fraction", fraction=0.5).fraction == 0.5
    assert loaded("Every", k=3, reuse=0.5).reuse == 0.5
    assert loaded("Every", k=3, reuse=None).reuse is None
    assert loaded("Between", start=1, end=None, unit="epochs").start == 1
    assert loaded("AdaptiveSchedule", c=0.5, decay=0.8).decay == 0.8
    assert type(loaded("Schedule")) is schedules.Schedule
    whole = schedules.Fraction(1.0)
    assert schedules.Fraction.from_config(whole.get_config()).fraction == 1.0


@keras.saving.register_keras_serializable("tests")
class Third(schedules.Schedule):
    """As one could be written before: its constructor calls no other."""

    fraction = 0.5

    def __init__(self, start):
        self.start = start

    def climbs(self, time, gradients, memory):
        return (time.iteration + self.start) % 3 == 0, memory

    def get_config(self):
        return {"start": self.start, **super().get_config()}


def test_a_schedule_of_ones_own_that_calls_no_other_constructor(tmp_path):
    model = classify(keras_sam.SAMModel(*small(), rho=0.5, schedule=Third(1)))
    model.fit(*rows(), batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.schedule.start, loaded.schedule.fraction) == (1, 0.5)


class Mean(schedules.Schedule):
    """Remembers by itself, and knows nothing of a reuse."""

    needs_gradient = True

    def init(self, weights):
        return [ops.zeros(())]

    def climbs(self, time, gradients, memory):
        (count,) = memory
        return time.iteration % 2 == 0, [count + 1]

    def climbed(self, gradients, perturbed, memory):
        return [memory[0] + 100]


def test_a_schedule_of_ones_own_goes_with_a_reuse():
    results = []
    for schedule in (schedules.Every(2, reuse=0.7), Mean(reuse=0.7)):
        keras.utils.set_random_seed(1)
        model = classify(keras_sam.SAMModel(*small(), rho=0.5, schedule=schedule))
        for _ in range(3):
            model.train_on_batch(*rows(8))
        memory = model._sharpness_aware.memory.values()["schedule"]
        results.append((model.get_weights(), memory))
    (weights, vectors), (own_weights, (own, *own_vectors)) = results
    assert_identical(own_weights, weights, rtol=1e-6)
    assert_identical(own_vectors, vectors, rtol=1e-5)
    np.testing.assert_array_equal(own, [203.0])


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
@pytest.mark.parametrize(
    "name, m",
    [("every", None), ("every", "global"), ("adaptive", "global"), ("always", None)],
)
def test_on_replicas(name, m):
    """A perturbation is along the gradient of a half of the examples that share it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(REPLICAS * LOCAL, 6)).astype("float32")
    y = rng.integers(0, 3, REPLICAS * LOCAL)
    # What groups remember is averaged, what replicas do is not.
    reuse = 0.5 if m == "global" else None

    def weights(scope, order, m):
        with scope:
            keras.utils.set_random_seed(1)
            schedule = SOME[name](fraction=0.5, reuse=reuse)
            model = keras_sam.SAMModel(*network(), rho=0.2, m=m, schedule=schedule)
            classify(model, keras.optimizers.SGD(0.1))
            for _ in range(3):
                model.fit(x[order], y[order], batch_size=len(x), shuffle=False, verbose=0)
            return model.get_weights()

    everything = list(range(len(x)))
    many = weights(replicated(), everything, m)
    if m is None:  # On one device, each replica is a group of as many examples.
        one = weights(contextlib.nullcontext(), everything, LOCAL)
    else:  # On TensorFlow they are the first ones of each replica.
        order = [0, 1, 4, 5, 2, 3, 6, 7] if BACKEND == "tensorflow" else everything
        one = weights(contextlib.nullcontext(), order, None)
    assert_identical(many, one, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_an_embedding(mode):
    """Its gradient is sparse on TensorFlow. A step that does not climb is one at rho 0."""
    x = np.array([[1, 1], [2, 3], [1, 4], [5, 1]])
    y = np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
    results = []
    for schedule in (schedules.Every(2, fraction=0.5), schedules.Fraction(0.5)):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((2,), dtype="int32")
        outputs = layers.Dense(2)(layers.Flatten()(layers.Embedding(7, 2)(inputs)))
        model = keras_sam.SAMModel(inputs, outputs, rho=0.5, schedule=schedule)
        model.compile(keras.optimizers.SGD(0.5), "mse", **mode)
        for rho in (0.5, 0.0, 0.5):
            if isinstance(schedule, schedules.Fraction):
                model.rho = rho
            model.train_on_batch(x, y)
        results.append(model.get_weights())
    assert_identical(results[0], results[1], rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_a_loss_that_is_not_finite_at_w_and_eps(mode):
    """The step takes the fraction's gradient, in an embedding too."""

    def loss(y, y_pred):
        return ops.where(ops.abs(y_pred) > 10, ops.full_like(y_pred, np.inf), y_pred)

    inputs = keras.Input((1,), dtype="int32")
    table = layers.Embedding(4, 1, embeddings_initializer="zeros")
    outputs = layers.Dense(1, kernel_initializer="ones")(layers.Flatten()(table(inputs)))
    schedule = schedules.Every(2, fraction=0.5)
    model = keras_sam.SAMModel(inputs, outputs, rho=100.0, schedule=schedule)
    model.compile(keras.optimizers.SGD(0.5), loss, **mode)
    model.train_on_batch(np.array([[1], [2], [3], [3]]), np.zeros((4, 1)))
    found = [array(v).ravel() for v in model.trainable_weights]
    assert_identical(found, [np.array([0, -0.25, -0.25, 0]), np.ones(1), -0.5 * np.ones(1)])

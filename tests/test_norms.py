"""Norms at the ends of float64, of weights without entries, and with the radius itself."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, norms, schedules
from tests.helpers import BACKEND, allow_float64, array
from tests.models import classify, rows
from tests.rules import ASCENTS, INF

ORDERS = [1, 1.5, 2, 3, INF]


def flat(tensors):
    return np.concatenate([np.ravel(array(t)) for t in tensors])


@pytest.fixture
def gradients():
    """As Keras has them: without the table by which `float64` has all of it in float64."""
    allow_float64(True)
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(3, 4)), rng.normal(size=5)
    return lambda scale: [keras.ops.convert_to_tensor(a * scale) for a in arrays]


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-12, 1, 1e200, 1e300])
def test_float64_at_any_scale(gradients, scale):
    g = gradients(scale)
    expected = np.linalg.norm(flat(gradients(1)))
    np.testing.assert_allclose(float(norms.norm(g)) / scale, expected, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(flat(norms.unit(g))), 1, rtol=1e-14)
    for p in ORDERS:
        (*eps,) = ascents.LpBall(p)(g, g, 0.1)
        assert all(keras.backend.standardize_dtype(e.dtype) == "float64" for e in eps)
        np.testing.assert_allclose(np.linalg.norm(flat(eps), p), 0.1, rtol=1e-14)


def test_float64_where_a_perturbation_is_brought_back(gradients):
    rho = keras.ops.convert_to_tensor(0.1, "float64")
    eps = ascents.LpBall(steps=2).project(gradients(1), rho)
    np.testing.assert_allclose(np.linalg.norm(flat(eps)), 0.1, rtol=1e-14)


def test_float64_of_what_follows_the_learning_rate(gradients):
    rho = schedules.RhoByLearningRate(0.01, 0.1, lr_max=0.3)
    rate = keras.ops.convert_to_tensor(0.2, "float64")
    np.testing.assert_allclose(array(rho(rate)), 0.01 + 0.09 * 2 / 3, rtol=1e-15)


def test_float64_of_what_a_schedule_remembers(gradients):
    schedule = schedules.Adaptive()
    g = gradients(1e-30)
    _, (mean, _) = schedule.climbs(None, g, schedule.init(g))
    expected = 0.1 * (flat(g) ** 2).sum()
    np.testing.assert_allclose(array(mean), expected, rtol=1e-14)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("value", [0.0, float("nan"), INF])
def test_no_direction_in_float64(gradients, p, value):
    g = [t * value for t in gradients(1)]
    np.testing.assert_array_equal(flat(ascents.LpBall(p)(g, g, 0.1)), np.zeros(17))


class Empty(keras.layers.Layer):
    def build(self, shape):
        self.none = self.add_weight(shape=(0, 3), name="kernel")

    def call(self, x):
        return x + keras.ops.sum(self.none, axis=0)


# What is random depends on the number of weights, and has no norm of its own.
SIZELESS = {
    **{name: make for name, make in ASCENTS.items() if name != "random"},
    "adaptive, inf": lambda: ascents.Adaptive(INF),
    **{f"ball, {p}": lambda p=p: ascents.LpBall(p) for p in ORDERS},
}


@pytest.mark.parametrize("name", SIZELESS)
def test_a_weight_without_entries(name):
    """It changes nothing about the others."""
    weights = []
    for layers in ([], [Empty()]):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((8,))
        x = outputs = keras.layers.Dense(3)(inputs)
        for layer in layers:
            outputs = layer(x)
        model = keras_sam.SAMModel(inputs, outputs, rho=0.5, ascent=SIZELESS[name]())
        classify(model, run_eagerly=BACKEND == "tensorflow")
        model.train_on_batch(*rows())
        weights.append([array(v) for v in model.trainable_weights][:2])
    for a, b in zip(*weights):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("p", ORDERS)
def test_no_entries_at_all(p):
    g = [keras.ops.zeros((0, 3))]
    (eps,) = ascents.LpBall(p)(g, g, 0.1)
    assert eps.shape == (0, 3)

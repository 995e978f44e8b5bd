"""Ascents in a metric: what they maximize, what T is, and what a subclass may be."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import layers, ops

import keras_sam
from keras_sam import ascents
from keras_sam.norms import steepest
from tests.by_hand import flat
from tests.helpers import BACKEND, array, assert_identical
from tests.models import classify, rows, small
from tests.rules import INF

SHAPES = [(2, 3), (4,)]
finite = st.floats(-10, 10, width=32).filter(lambda v: v == 0 or abs(v) > 1e-3)
gradients = hnp.arrays("float32", 10, elements=finite).filter(np.any)
scales = hnp.arrays("float32", 10, elements=st.floats(0.0625, 16, width=32))


def split(vector):
    parts = np.split(np.asarray(vector, "float32"), [6])
    return [ops.convert_to_tensor(p.reshape(s)) for p, s in zip(parts, SHAPES)]


class Given(ascents.Metric):
    def __init__(self, scales, p=2.0):
        super().__init__()
        self.scales, self.p = scales, p

    def scale(self, weights, memory):
        return self.scales


@pytest.mark.parametrize("p", [1, 1.5, 2, INF])
@settings(deadline=None, max_examples=60)
@given(g=gradients, size=scales, rho=st.floats(1e-3, 1e3))
def test_it_is_the_steepest_in_the_ball(p, g, size, rho):
    ascent = Given(split(size), p)
    eps = flat(ascent(split(g), split(g), rho)).astype("float64")
    size, q = size.astype("float64"), {1: INF, INF: 1}.get(p) or p / (p - 1)
    np.testing.assert_allclose(np.linalg.norm(eps / size, p), rho, rtol=1e-5)
    np.testing.assert_allclose(eps @ g, rho * np.linalg.norm(size * g, q), rtol=1e-5)


def test_none_is_one_and_a_number_a_scale():
    g = split(np.arange(10) - 4.0)
    some, all_ = Given([None, 2.0]), Given([ops.ones((2, 3)), ops.full((4,), 2.0)])
    assert_identical(some(g, g, 0.5), all_(g, g, 0.5))


@pytest.mark.parametrize("p", [2, INF])
def test_asam_is_bit_for_bit_what_it_was(p):
    rng = np.random.default_rng(0)
    w, g = split(rng.normal(size=10)), split(rng.normal(size=10))
    ascent = ascents.Adaptive(p, eta=0.1)
    ascent.kernels = [True, False]
    size = ops.abs(w[0]) + 0.1
    kernel, bias = steepest([g[0] * size, g[1]], 0.3, p)
    assert_identical(ascent(w, g, 0.3), [kernel * size, bias])


def test_asam_does_not_see_the_scales_of_layers():
    """One layer 8 times larger and the next 8 times smaller is the same network."""
    rises = []
    for scale in (1.0, 8.0):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((8,))
        hidden = layers.Dense(4, "relu", use_bias=False)(inputs)
        outputs = layers.Dense(3, use_bias=False)(hidden)
        ascent = ascents.Adaptive(eta=0)
        model = classify(keras_sam.SAMModel(inputs, outputs, rho=0.5, ascent=ascent))
        first, second = model.trainable_weights
        first.assign(scale * array(first))
        second.assign(array(second) / scale)
        logs = model.train_on_batch(*rows(), return_dict=True)
        rises.append(float(logs["sharpness"]))
    np.testing.assert_allclose(rises[1], rises[0], rtol=1e-4)


def test_the_average_counts_steps_and_not_groups():
    """At a rate of 0 each group has the same gradient in each step."""
    x, y = rows(8)

    def remembered(beta, steps, rows, m=None):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((8,))
        ascent = ascents.Preconditioned(beta)
        model = keras_sam.SAMModel(inputs, layers.Dense(3)(inputs), m=m, ascent=ascent)
        classify(model, keras.optimizers.SGD(0.0))
        for _ in range(steps):
            model.train_on_batch(x[rows], y[rows])
        return [array(v) for v in model._sharpness_aware.memory.all]

    groups = slice(0, 3), slice(3, 6), slice(6, 8)
    *squares, _ = zip(*(remembered(0, 1, group) for group in groups))
    *averages, ones = remembered(0.5, 3, slice(8), m=3)
    np.testing.assert_allclose(ones, 1 - 0.5**3, rtol=1e-6)
    for average, square in zip(averages, squares):
        mean = np.average(square, 0, [3, 3, 2])
        np.testing.assert_allclose(average, mean * (1 - 0.5**3), rtol=1e-4, atol=1e-9)


def test_second_order_where_a_weight_has_no_gradient():
    """The root of the average of squares has no derivative at 0. The others see nothing."""
    x, y = rows(8)
    x[:, 0] = 0
    weights = np.random.default_rng(1).normal(size=(8, 3))
    results = []
    for first in (0, 1):
        inputs = keras.Input((8 - first,))
        outputs = layers.Dense(3, use_bias=False)(inputs)
        ascent = ascents.Preconditioned(epsilon=0.1)
        settings = {"rho": 0.5, "ascent": ascent, "second_order": True}
        model = classify(keras_sam.SAMModel(inputs, outputs, **settings))
        model.set_weights([weights[first:]])
        model.train_on_batch(x[:, first:], y)
        results.append(model.get_weights()[0])
    np.testing.assert_allclose(results[0][0], weights[0], rtol=1e-6)
    np.testing.assert_allclose(results[0][1:], results[1], rtol=1e-5)


EAGER = {} if BACKEND == "torch" else {"run_eagerly": True}


def trained(ascent):
    keras.utils.set_random_seed(1)
    model = classify(keras_sam.SAMModel(*small(), rho=0.5, ascent=ascent), **EAGER)
    for _ in range(2):
        model.train_on_batch(*rows(8))
    return model.get_weights()


class Twice(ascents.Adaptive):
    """As it could be written before there was `perturb`."""

    def init(self, weights):
        return [ops.zeros_like(w) for w in weights]

    def __call__(self, weights, gradients, rho):
        return [2 * e for e in super().__call__(weights, gradients, rho)]


def test_a_subclass_that_remembers_may_define_call():
    class Larger(ascents.Adaptive):
        def perturb(self, weights, gradients, rho, memory):
            return super().perturb(weights, gradients, 2 * rho, memory)

    assert_identical(trained(Twice()), trained(Larger()), rtol=1e-6)
    assert not np.array_equal(trained(Twice())[0], trained(ascents.Adaptive())[0])


def test_perturb_is_given_what_is_remembered():
    class Mean(ascents.Averaged):
        """VaSSO, by another way than its direction."""

        def direction(self, gradients, memory):
            return gradients

        def perturb(self, weights, gradients, rho, memory):
            return self(weights, memory, rho)

    assert_identical(trained(Mean()), trained(ascents.Averaged()))


WRONG = {
    "None": (lambda self, *args: None, "scale", "5 weights. Received: None"),
    "few": (lambda self, weights, memory: [1.0], "scale", r"Received: \[1.0\]"),
    "shape": (lambda self, ws, *_: [w[None] for w in ws], "perturb", "kernel of shape="),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_scale(wrong):
    scale, method, message = WRONG[wrong]
    ascent = type("Wrong", (ascents.Metric,), {"scale": scale})()
    inputs = keras.Input((8,))
    hidden = layers.BatchNormalization()(layers.Dense(4)(inputs))
    outputs = layers.Dense(3, use_bias=False)(hidden)
    model = classify(keras_sam.SAMModel(inputs, outputs, ascent=ascent))
    with pytest.raises(ValueError, match=f"`Wrong.{method}` must return a list.*{message}"):
        model.train_on_batch(*rows(8))


def test_a_metric_without_a_scale():
    with pytest.raises(TypeError, match=r"abstract method .*scale"):
        ascents.Metric()

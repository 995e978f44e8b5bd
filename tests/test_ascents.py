"""The perturbation: what it maximizes, and what can go wrong in computing it."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import keras_sam
from keras_sam import _backend, ascents
from tests.helpers import BACKEND, array, assert_identical, only_on
from tests.models import classify, rows, small

INF = float("inf")
ORDERS = [1, 1.25, 1.5, 2, 3, 10, INF]

gradients_of_two_weights = hnp.arrays(
    "float32",
    (7,),
    elements=st.floats(-10, 10, width=32).filter(lambda v: v == 0 or abs(v) > 1e-3),
).filter(np.any)
exponents = st.integers(-30, 30)


def perturb(p, flat, rho, dtype="float32"):
    """LpBall's perturbation of a (2, 3) and a (1,) weight, as one vector."""
    flat = np.asarray(flat, dtype)
    gradients = [flat[:6].reshape(2, 3), flat[6:]]
    ascent = keras_sam.ascents.LpBall(p)
    eps = ascent(gradients, gradients, rho)
    assert [e.shape for e in eps] == [g.shape for g in gradients]
    assert all(keras.backend.standardize_dtype(e.dtype) == dtype for e in eps)
    flat = [np.ravel(array(keras.ops.cast(e, "float32"))) for e in eps]
    return np.concatenate(flat).astype("float64")


def norm(v, p):
    return np.linalg.norm(np.asarray(v, "float64"), p)


def dual(p):
    return {1: INF, INF: 1.0}.get(p) or p / (p - 1)


@pytest.mark.parametrize("p", ORDERS)
@settings(deadline=None, max_examples=60)
@given(g=gradients_of_two_weights, rho=st.floats(1e-3, 1e3))
def test_it_is_the_steepest_in_the_ball(p, g, rho):
    eps = perturb(p, g, rho)
    np.testing.assert_allclose(norm(eps, p), rho, rtol=1e-5)
    np.testing.assert_allclose(np.dot(eps, g), rho * norm(g, dual(p)), rtol=1e-5)


@pytest.mark.parametrize("p", ORDERS)
@settings(deadline=None, max_examples=60)
@given(g=gradients_of_two_weights, exponent=exponents)
def test_the_scale_of_the_gradient_does_not_matter(p, g, exponent):
    scaled = np.ldexp(g, exponent)
    np.testing.assert_array_equal(perturb(p, scaled, 0.5), perturb(p, g, 0.5))


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("scale", [1e-37, 1e37])
def test_norms_neither_overflow_nor_vanish(p, scale):
    g = np.array([1, -2, 3, 0, 5, -6, 7]) * scale
    np.testing.assert_allclose(norm(perturb(p, g, 0.05), p), 0.05, rtol=1e-5)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_norms_of_half_precision_gradients_are_taken_in_float32(p, dtype):
    # 65504 is the largest float16: neither the square nor the sum of two would fit.
    g = np.full(7, 6e4, "float32")
    eps = perturb(p, g, 0.5, dtype)
    expected = perturb(p, g, 0.5)
    np.testing.assert_allclose(eps, expected, rtol=1e-2)


def compiled(function):
    """As a training step is compiled by default, and as XLA does it."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return [tf.function(function, jit_compile=jit) for jit in (False, True)]
    if BACKEND == "jax":
        import jax

        return [function, jax.jit(function)]
    return [function]


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("value", [0.0, float("nan"), INF])
def test_no_direction_no_perturbation(p, value):
    g = np.array([value, 0, 0, 0, 0, 0, value], "float32")
    if value:
        g[1] = 1.0
    gradients = [keras.ops.convert_to_tensor(part) for part in (g[:6], g[6:])]
    for perturbation in compiled(lambda g: keras_sam.ascents.LpBall(p)(g, g, 0.05)):
        eps = np.concatenate([array(e) for e in perturbation(gradients)])
        np.testing.assert_array_equal(eps, np.zeros(7))


@pytest.mark.parametrize("p", ORDERS)
def test_a_radius_of_zero(p):
    np.testing.assert_array_equal(perturb(p, np.arange(7), 0.0), np.zeros(7))


def test_ties_at_p_1_share_the_radius():
    eps = perturb(1, [2, -2, 1, 0, 2, 0, -2], 1.0)
    np.testing.assert_allclose(eps, [0.25, -0.25, 0, 0, 0.25, 0, -0.25])


@pytest.mark.parametrize("p, near", [(1, 1.0001), (INF, 1e6), (2, 2.000001)])
def test_the_limits_in_p(p, near):
    g = [1, -2, 3, 0.5, 5, -6, 7]
    np.testing.assert_allclose(perturb(near, g, 0.3), perturb(p, g, 0.3), atol=1e-4)


@only_on("tensorflow", "Gradients of the other backends are not sparse.")
def test_a_duplicate_index_counts_once():
    import tensorflow as tf

    sparse = tf.IndexedSlices(
        tf.constant([[3.0], [1.0], [0.0]]), tf.constant([1, 1, 0]), tf.constant([3, 1])
    )
    (eps,) = keras_sam.ascents.LpBall()([None], [_backend.dense(sparse)], 0.5)
    np.testing.assert_allclose(eps, [[0], [0.5], [0]])


@pytest.mark.parametrize("p", ORDERS)
def test_it_is_serialized(p):
    config = keras.saving.serialize_keras_object(keras_sam.ascents.LpBall(p))
    config = json.loads(json.dumps(config))
    assert keras.saving.deserialize_keras_object(config).p == p


@pytest.mark.parametrize("p", [0.99, 0, -1, float("nan"), "2", None, True])
def test_bad_orders(p):
    with pytest.raises(ValueError, match=r"`p` must be a number in \[1, inf\]\. Received"):
        keras_sam.ascents.LpBall(p)


def test_a_random_direction_has_norm_rho_and_is_another_each_step():
    seen = []

    class Seen(ascents.RandomDirection):
        def __call__(self, weights, gradients, rho):
            eps = super().__call__(weights, gradients, rho)
            seen.append([array(e) for e in eps])
            return eps

    model = keras_sam.SAMModel(*small(), rho=0.3, ascent=Seen(seed=1))
    classify(model, **({} if BACKEND == "torch" else {"run_eagerly": True}))
    for _ in range(3):
        model.train_on_batch(*rows(8))
    seen = [np.concatenate([e.ravel() for e in eps]) for eps in seen]
    np.testing.assert_allclose([np.linalg.norm(e) for e in seen], 0.3, rtol=1e-5)
    products = np.array(seen) @ np.array(seen).T / 0.09
    assert abs(products - np.eye(len(seen))).max() < 0.5


def test_models_of_different_weights_may_have_the_same_ascent():
    def make(ascent, units):
        inputs = keras.Input((8,))
        x = keras.layers.Dense(units, use_bias=units > 3)(inputs)
        model = keras_sam.SAMModel(inputs, keras.layers.Dense(3)(x), ascent=ascent)
        return classify(model, **({} if BACKEND == "torch" else {"run_eagerly": True}))

    results = []
    for shared in (True, False):
        keras.utils.set_random_seed(0)
        ascent = ascents.Adaptive(eta=0)
        models = [make(ascent if shared else ascents.Adaptive(eta=0), u) for u in (4, 2)]
        for model in 2 * models:
            model.train_on_batch(*rows(8))
        results.append([w for model in models for w in model.get_weights()])
    assert_identical(results[0], results[1])


@keras.saving.register_keras_serializable("tests")
def is_bias(variable):
    return variable.name == "bias"


def test_a_selection_is_serialized():
    rules = [keras.layers.BatchNormalization, "dense_1/", is_bias]
    ascent = ascents.Momentum(variables=rules)
    config = keras.saving.serialize_keras_object(ascent)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config()["variables"].get_config() == {
        "layers": ["BatchNormalization"],
        "paths": ["dense_1/"],
        "functions": [is_bias],
    }

"""The loss that is analysed: the compiled one, on all data, and its products."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_sam import analysis
from keras_sam.analysis._flat import flat, unflat
from keras_sam.analysis._loss import Loss
from tests import dense
from tests.helpers import BACKEND


@pytest.fixture(autouse=True)
def _double(float64):
    """Errors are then of the mathematics, and not of rounding."""


@pytest.mark.parametrize("batch_size", [4, 32])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_compiled_loss_on_all_data(batch_size, weighted):
    """The short last batch counts by its examples."""
    x, y, weight = dense.data()
    weight = weight if weighted else None
    model = dense.mlp()
    expected = model.evaluate(x, y, sample_weight=weight, batch_size=21, verbose=0)
    loss = Loss(model, (x, y, weight), batch_size)
    assert abs(loss.value(loss.weights) - expected) < 1e-12
    assert loss.examples == 21


def test_a_loss_that_a_layer_adds():
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(ops.mean(x**2))
            return x

    x, y, _ = dense.data()
    inputs = keras.Input((4,))
    outputs = layers.Dense(2)(Penalty()(layers.Dense(3)(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    expected = model.evaluate(x, y, batch_size=21, verbose=0)
    loss = Loss(model, (x, y, None), 21)
    assert abs(loss.value(loss.weights) - expected) < 1e-12


def test_gradients_and_products_by_finite_differences():
    x, y, weight = dense.data()
    loss = Loss(dense.mlp(), (x, y, weight), 8)
    w, step = flat(loss.weights), 1e-5
    rng = np.random.default_rng(0)
    for _ in range(3):
        v = rng.normal(size=w.size)
        ends = [unflat(w + sign * step * v, loss.weights) for sign in (1, -1)]
        values = [loss.value(end) for end in ends]
        gradient = flat(loss.gradient(loss.weights)[1])
        assert abs((values[0] - values[1]) / (2 * step) - gradient @ v) < 1e-7
        gradients = [flat(loss.gradient(end)[1]) for end in ends]
        product = flat(loss.product(unflat(v, loss.weights)))
        difference = (gradients[0] - gradients[1]) / (2 * step)
        np.testing.assert_allclose(product, difference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("how", ["forward over reverse", "reverse over reverse"])
def test_both_ways_give_the_same_hessian(how, monkeypatch):
    from keras_sam import _backend

    monkeypatch.setattr(_backend, "PRODUCTS", (how,))
    x, y, weight = dense.data()
    model = dense.mlp()
    h = dense.hessian(model, x, y, weight)
    np.testing.assert_allclose(h, h.T, atol=1e-12)
    monkeypatch.setattr(_backend, "PRODUCTS", ("reverse over reverse",))
    np.testing.assert_allclose(h, dense.hessian(model, x, y, weight), atol=1e-12)


def test_each_backend_takes_its_fastest_way():
    x, y, _ = dense.data()
    how = analysis.hessian_trace(dense.mlp(), x, y, draws=1).how
    assert how == ("reverse" if BACKEND == "torch" else "forward") + " over reverse"


def test_central_differences(monkeypatch):
    """Where a layer has no second derivative."""
    from keras_sam import _backend

    x, y, weight = dense.data()
    model = dense.mlp()
    exact = dense.hessian(model, x, y, weight)

    def product_of(*args):
        raise NotImplementedError  # As a layer without a second derivative.

    monkeypatch.setattr(_backend, "product_of", product_of)
    np.testing.assert_allclose(dense.hessian(model, x, y, weight), exact, atol=1e-8)
    found = analysis.hessian_trace(model, x, y, weight, draws=1)
    assert found.how == "central differences" and found.products == 1


def no_memory():
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    if BACKEND == "torch":
        import torch

        return torch.cuda.OutOfMemoryError("CUDA out of memory.")
    import jax

    return jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 B.")


@pytest.mark.parametrize("make", [MemoryError, no_memory])
def test_no_other_way_is_tried_without_memory(make, monkeypatch):
    from keras_sam import _backend

    x, y, _ = dense.data()
    error, tried = make(), []

    def product_of(fn, weights, vectors, how):
        tried.append(how)
        raise error

    monkeypatch.setattr(_backend, "product_of", product_of)
    with pytest.raises(type(error)):
        analysis.hessian_trace(dense.mlp(), x, y, draws=1)
    assert tried == [_backend.PRODUCTS[0]]


def test_an_error_of_the_models_own_is_raised():
    def theirs(y, y_pred):
        raise RuntimeError("theirs")

    x, y, _ = dense.data()
    with pytest.raises(RuntimeError, match="theirs"):
        analysis.hessian_trace(dense.mlp(theirs), x, y, draws=1)


def test_a_short_last_batch_is_as_one_batch():
    x, y, weight = dense.data()
    model = dense.mlp()
    one, more = (dense.hessian(model, x, y, weight, batch_size=n) for n in (21, 8))
    np.testing.assert_allclose(one, more, atol=1e-12)

"""Numbers at the edge of what there is: the outcome is plain training's, or is finite."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents
from tests import rules
from tests.helpers import array, assert_identical

N = 6


class Empty(keras.layers.Layer):
    """With a weight of no elements, and one of one."""

    def build(self, shape):
        self.none = self.add_weight(shape=(0, 3), name="none")
        self.one = self.add_weight(shape=(), initializer="ones", name="one")

    def call(self, x):
        return x * self.one + keras.ops.sum(self.none)


def make(cls=keras_sam.SAMModel, loss="mse", **settings):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(2)(Empty()(keras.layers.Dense(3, "tanh")(inputs)))
    if cls is not keras.Model:
        settings = {"rho": 0.2, **settings}
    model = cls(inputs, outputs, **settings)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, run_eagerly=True)
    return model


def data(n=N):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, k)).astype("float32") for k in (4, 2)]


def trained(model, x, y, weights=None, steps=2):
    for _ in range(steps):
        model.train_on_batch(x, y, sample_weight=weights)
    return [array(v) for v in model.weights]


BAD = [np.nan, np.inf, -np.inf, 1e38]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("where", ["inputs", "labels", "weights"])
def test_in_the_data(where, value):
    """Where the loss is not finite at w, the step is the plain one."""
    arrays = [*data(), np.ones(N, "float32")]
    arrays[["inputs", "labels", "weights"].index(where)][0] = value
    plain = trained(make(keras.Model), *arrays)
    if where == "inputs" and value == 1e38:
        assert all(np.isfinite(w).all() for w in trained(make(), *arrays))
    else:
        assert_identical(trained(make(), *arrays), plain)


def constant(y, y_pred):
    return keras.ops.sum(0.0 * y_pred, axis=-1)


@pytest.mark.parametrize("name", rules.ASCENTS)
def test_a_gradient_of_zero(name):
    ascent = rules.ASCENTS[name]()
    plain = trained(make(keras.Model, constant), *data())
    assert_identical(trained(make(loss=constant, ascent=ascent), *data()), plain)


@pytest.mark.parametrize("name", rules.ASCENTS)
def test_weights_of_zero(name):
    model = make(ascent=rules.ASCENTS[name]())
    model.set_weights([np.zeros(w.shape) for w in model.weights])
    assert all(np.isfinite(w).all() for w in trained(model, *data()))


@pytest.mark.parametrize("p", [1, 1.01, 2, 100, np.inf])
@pytest.mark.parametrize("rho", [1e-37, 1e-30, 1e-8, 1e8, 1e30, 1e38])
def test_any_rho_and_p(rho, p):
    """A step by a gradient from far away may go far: after it plain training fails, too."""
    found = trained(make(rho=rho, ascent=ascents.LpBall(p)), *data(), steps=1)
    assert all(np.isfinite(w).all() for w in found)
    if rho < 1e-7 or rho > 1e20:
        plain = trained(make(keras.Model), *data(), steps=1)
        assert_identical(found, plain, rtol=1e-6)


def test_a_batch_of_one():
    x, y = data(1)
    assert_identical(trained(make(m=1), x, y), trained(make(), x, y), rtol=1e-6)


def test_no_data():
    errors = []
    for model in (make(keras.Model), make()):
        with pytest.raises(Exception) as error:
            model.fit(*data(0), verbose=0)
        errors.append(error.type)
    assert errors[0] is errors[1]

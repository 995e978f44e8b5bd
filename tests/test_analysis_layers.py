"""Products with the Hessian: each kind of layer, several devices, low precision."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sam import analysis
from keras_sam.analysis._flat import flat, unflat
from keras_sam.analysis._loss import Loss
from tests import dense
from tests.helpers import BACKEND, only_on
from tests.jax_devices import data_parallel


@pytest.fixture(autouse=True)
def _double(float64):
    """Errors are then of the mathematics, and not of rounding."""


def sequence(layer, shape=(6, 4)):
    inputs = keras.Input(shape)
    x = layer(inputs)
    return inputs, layers.Dense(2)(layers.Flatten()(x))


LAYERS = {
    "conv": lambda: sequence(layers.Conv2D(2, 3, activation="tanh"), (5, 5, 2)),
    "separable": lambda: sequence(layers.SeparableConv2D(2, 3), (5, 5, 2)),
    "transposed": lambda: sequence(layers.Conv2DTranspose(2, 3), (4, 4, 2)),
    "batch norm": lambda: sequence(layers.BatchNormalization()),
    "layer norm": lambda: sequence(layers.LayerNormalization()),
    "group norm": lambda: sequence(layers.GroupNormalization(2)),
    "rms norm": lambda: sequence(layers.RMSNormalization()),
    "lstm": lambda: sequence(layers.LSTM(3, return_sequences=True)),
    "gru": lambda: sequence(layers.GRU(3, return_sequences=True)),
    "prelu": lambda: sequence(layers.PReLU()),
    "unit norm": lambda: sequence(layers.UnitNormalization()),
}


def attention():
    inputs = keras.Input((6, 4))
    x = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    return inputs, layers.Dense(2)(layers.Flatten()(x))


def embedding():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Dense(3, activation="tanh")(layers.Embedding(5, 2)(inputs))
    return inputs, layers.Dense(2)(layers.Flatten()(x))


@pytest.mark.parametrize("name", [*LAYERS, "attention", "embedding"])
def test_each_layer_has_products(name):
    """As central differences of gradients, in training mode, where it has one."""
    make = {**LAYERS, "attention": attention, "embedding": embedding}[name]
    inputs, outputs = make()
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    shape = (4, *inputs.shape[1:])
    x = rng.integers(0, 5, shape) if name == "embedding" else rng.normal(size=shape)
    loss = Loss(model, (x, rng.normal(size=(4, 2)), None), 4, training=True)
    # On JAX attention is in float32, and so is what its difference is divided by.
    single = name == "attention" and BACKEND == "jax"
    step, rounding = (1e-3, 1e-3) if single else (1e-5, 1e-5)
    v, w = rng.normal(size=loss.size), flat(loss.weights)
    product = flat(loss.product(unflat(v, loss.weights)))
    ends = [unflat(w + sign * step * v, loss.weights) for sign in (1, -1)]
    gradients = [flat(loss.gradient(end)[1]) for end in ends]
    difference = (gradients[0] - gradients[1]) / (2 * step)
    np.testing.assert_allclose(product, difference, rtol=1e-4, atol=rounding)
    assert loss.how in ("forward over reverse", "reverse over reverse")


@only_on("tensorflow", "Strategies are TensorFlow's.")
def test_a_model_of_a_strategy():
    """Outside of its scope it is analysed as any; within, there are no gradients."""
    from tests.replicas import mirrored

    x, y, _ = dense.data()
    strategy, plain = mirrored(2), dense.mlp()
    with strategy.scope():
        model = dense.mlp()
    model.set_weights(plain.get_weights())
    found, expected = (analysis.sharpness(m, x, y) for m in (model, plain))
    assert abs(found.worst - expected.worst) < 1e-9
    with strategy.scope(), pytest.raises(ValueError, match=r"outside of `strategy\.scope"):
        analysis.sharpness(model, x, y)


@only_on("jax", "`keras.distribution` is JAX's.")
def test_a_model_on_several_devices():
    x, y, _ = dense.data(24)
    plain = dense.mlp()
    keras.distribution.set_distribution(data_parallel(2)())
    try:
        model = dense.mlp()
        model.set_weights(plain.get_weights())
        found = analysis.hessian_trace(model, x, y, draws=2, batch_size=8)
    finally:
        keras.distribution.set_distribution(None)
    expected = analysis.hessian_trace(plain, x, y, draws=2, batch_size=8)
    assert abs(found.value - expected.value) < 1e-9


def without_regularizer():
    """Keras on TensorFlow cannot add one in bfloat16 to a loss in float32."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(3, "tanh")(inputs)))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_lower_precision(policy):
    """Rises of a loss that is computed in bfloat16 are those of float32 by its rounding."""
    x, y, _ = dense.data()
    keras.config.set_floatx("float32")
    plain = without_regularizer()
    keras.config.set_dtype_policy(policy)
    model = without_regularizer()
    model.set_weights(plain.get_weights())
    found, expected = (analysis.sharpness(m, x, y, rho=0.5) for m in (model, plain))
    assert abs(found.worst - expected.worst) < 0.05 * expected.loss
    trace = analysis.hessian_trace(model, x, y, draws=2)
    assert np.isfinite(trace.value)

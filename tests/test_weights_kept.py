"""The weights are nobody's but the optimizer's to write."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from tests.helpers import assert_identical, state
from tests.linear import data, linear
from tests.models import classify, cnn


def test_weights_do_not_drift():
    # A rate of zero: 400 perturbations leave every bit of the weights where it was.
    x, y = data()
    model = linear(rho=3.0)
    before = model.get_weights()
    model.fit(x, y, batch_size=4, epochs=100, verbose=0)
    assert_identical(model.get_weights(), before)


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_mixed_float16_skips_a_step_that_is_not_finite(rho):
    keras.config.set_dtype_policy("mixed_float16")
    inputs = keras.Input((4,))
    model = keras_sam.SAMModel(inputs, layers.Dense(1, use_bias=False)(inputs), rho=rho)
    model.compile(keras.optimizers.SGD(0.1), lambda y, y_pred: ops.sum(y_pred))
    x, y = np.full((8, 4), 100.0), np.zeros((8, 1))
    before = model.get_weights()
    scales, counts = [], []
    for _ in range(3):
        logs = model.train_on_batch(x, y, return_dict=True)
        scales.append(float(model.optimizer.dynamic_scale.value))
        counts.append(int(model.optimizer.iterations))
        assert np.isfinite(list(logs.values())).all()
    assert scales == [2.0**14, 2.0**13, 2.0**12]
    assert counts == [0, 0, 0]
    assert_identical(model.get_weights(), before)


def test_a_gradient_in_one_pass_only():
    # relu: the gradient of the unit vanishes at w + eps, and its weight has to stay.
    inputs = keras.Input((1,))
    outputs = layers.ReLU()(layers.Dense(1, use_bias=False)(inputs))
    model = keras_sam.SAMModel(inputs, outputs, rho=0.5)
    model.compile(keras.optimizers.SGD(1.0), lambda y, y_pred: -ops.mean(y_pred))
    model.set_weights([np.array([[-0.25]])])
    x, y = np.ones((2, 1)), np.zeros((2, 1))
    model.train_on_batch(x, y)
    assert_identical(model.get_weights(), [[[-0.25]]])
    model.compile(keras.optimizers.SGD(1.0), lambda y, y_pred: ops.mean(y_pred))
    model.set_weights([np.array([[0.25]])])
    model.train_on_batch(x, y)
    assert_identical(model.get_weights(), [[[-0.75]]])


def test_a_zero_gradient_is_not_nan():
    x, y = data()
    model = linear(rho=0.5, rate=1.0)
    before = model.get_weights()
    logs = model.train_on_batch(0.0 * x, y, return_dict=True)
    assert logs == {"loss": 0.0, "sharpness": 0.0}
    assert_identical(model.get_weights(), before)


def test_nobody_sees_perturbed_weights():
    x, y = data()

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert_identical(self.model.get_weights(), before)

    model = linear(rho=3.0)
    before = model.get_weights()
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[Watch()])


@pytest.mark.parametrize("failing_pass", [1, 2])
@pytest.mark.parametrize("eagerly", [True, False])
def test_an_exception_in_the_middle_of_a_step_leaves_everything(
    images, failing_pass, eagerly
):
    passes = []

    class Fails(layers.Layer):
        def call(self, x, training=None):
            passes.append(training)
            if training and passes.count(True) == failing_pass:
                raise KeyError("on purpose")
            return x

    inputs, outputs = cnn()
    fails = Fails()
    model = classify(keras_sam.SAMModel(inputs, fails(outputs)), run_eagerly=eagerly)
    model.optimizer.build(model.trainable_weights)
    before = state(model)
    with pytest.raises(KeyError):
        model.train_on_batch(*images)
    assert_identical(state(model)[: len(before)], before)
    assert failing_pass == passes.count(True)
    # A `tf.function` whose first trace failed does not recover; Keras compiles it anew.
    classify(model, run_eagerly=eagerly).train_on_batch(*images)
    assert np.any(state(model)[0] != before[0])

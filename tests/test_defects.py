"""What other implementations get wrong, one test each (see docs/how_it_works.md).

The defects of Keras 2's class and of `train_step` recipes, of PyTorch optimizers and of JAX
libraries that concern this package's step. Equality at rho = 0 is in `test_like_plain`.
"""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from tests.helpers import array, assert_identical, without_a_gradient
from tests.linear import data, linear
from tests.models import classify, cnn


def test_regularizers_and_add_loss_are_in_both_gradients():
    # At w = 0 an L2 penalty has no gradient, at w + eps one of 2 * 3 * eps.
    x, y = np.zeros((2, 4), "float32"), np.zeros((2, 1), "float32")
    x[:, 0] = 1.0
    model = linear(rate=1.0, kernel_regularizer=keras.regularizers.L2(3.0))
    model.layers[1].kernel.assign(np.zeros((4, 1)))
    model.train_on_batch(x, y)
    np.testing.assert_allclose(array(model.layers[1].kernel), [[-4], [0], [0], [0]])

    class Penalty(layers.Layer):
        def build(self, _):
            self.w = self.add_weight(shape=(), initializer="zeros")

        def call(self, x):
            self.add_loss(ops.square(self.w + 1.0))
            return x + 0.0 * self.w

    inputs = keras.Input((4,))
    model = keras_sam.SAMModel(inputs, Penalty()(inputs), rho=0.5)
    model.compile(keras.optimizers.SGD(1.0), lambda y, y_pred: 0.0 * ops.mean(y_pred))
    logs = model.train_on_batch(x, np.zeros((2, 4)), return_dict=True)
    assert logs == {"loss": 1.0, "sharpness": 1.25}
    np.testing.assert_allclose(array(model.trainable_weights[0]), -3.0)


@pytest.mark.parametrize("rho", [0.0, 5.0])
def test_batch_norm_and_seeds_move_once_and_by_the_clean_pass(images, rho):
    models = [cls(*cnn()) for cls in (keras.Model, keras_sam.SAMModel)]
    models[1].set_weights(models[0].get_weights())
    models[1].rho = rho
    moved = [[v for v in m.variables if not v.trainable] for m in models]
    for a, b in zip(*moved):
        b.assign(array(a))  # On JAX, `fit` uses up the arrays that variables share.
    for model in models:
        classify(model, keras.optimizers.SGD(0.0))
        model.fit(*images, batch_size=16, shuffle=False, verbose=0)
    expected, actual = ([array(v) for v in variables] for variables in moved)
    assert_identical(actual, expected)
    assert np.any(expected[0] != 0)


def test_the_loss_and_the_metrics_shown_are_those_at_w(images):
    histories = []
    for rho in (0.0, 5.0):
        keras.utils.set_random_seed(1)
        model = classify(keras_sam.SAMModel(*cnn(), rho=rho), keras.optimizers.SGD(0.0))
        histories.append(model.fit(*images, shuffle=False, verbose=0).history)
    assert histories[0].pop("sharpness") == [0.0]
    assert histories[1].pop("sharpness")[0] > 0.1
    assert histories[0] == histories[1]


def test_the_loss_shown_is_not_the_mean_of_the_predictions():
    x, y = data()
    inputs = keras.Input((4,))
    model = keras_sam.SAMModel(inputs, layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    logs = model.train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], model.evaluate(x, y, verbose=0), rtol=1e-6)


def test_the_ascent_runs_in_training_mode():
    class Mode(layers.Layer):
        def call(self, x, training=None):
            return x if training else 0.0 * x

    x, y = data()
    inputs = keras.Input((4,))
    outputs = Mode()(layers.Dense(1, use_bias=False)(inputs))
    model = keras_sam.SAMModel(inputs, outputs, rho=0.5)
    model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: ops.mean(y_pred))
    logs = model.train_on_batch(x, y, return_dict=True)
    rise = 0.5 * np.linalg.norm(x.mean(0))
    np.testing.assert_allclose(logs["sharpness"], rise, rtol=1e-5)


def test_a_weight_without_a_gradient_and_an_embedding():
    class Net(keras_sam.SAMModel):
        def __init__(self):
            super().__init__(rho=0.5)
            self.embedding = layers.Embedding(5, 3)
            self.unused = self.add_weight(shape=(2,), name="unused")

        def call(self, x):
            return ops.sum(self.embedding(x), axis=(1, 2))

    model = Net()
    model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: ops.mean(y_pred))
    # Each row of the embedding counts with the number of its appearances.
    x = np.array([[0, 0, 1], [0, 1, 2]])
    with without_a_gradient():
        logs = model.train_on_batch(x, np.zeros(2), return_dict=True)
    gradient = np.repeat([3 / 2, 2 / 2, 1 / 2, 0, 0], 3)
    np.testing.assert_allclose(logs["sharpness"], 0.5 * np.linalg.norm(gradient), rtol=1e-5)


def test_mixed_float16_scales_the_loss_and_moves_the_weights(images):
    keras.config.set_dtype_policy("mixed_float16")
    model = classify(keras_sam.SAMModel(*cnn()), "sgd")
    before = model.get_weights()
    model.fit(*images, verbose=0)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    moved = [np.abs(a - b).max() for a, b in zip(model.get_weights(), before)]
    assert max(moved) > 1e-3

"""One step by hand, in NumPy and float64."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from keras_sam._step.gradients import Gradients
from keras_sam._step.memory import Memory
from keras_sam._step.rules import Rules
from keras_sam._step.step import sharpness_aware_step
from keras_sam._step.train_step import objective_of
from keras_sam.methods import Now, Pass
from tests.helpers import MODES, array
from tests.regression import INF, RATE, RHO, Normalized, data, network, steepest

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("p", [1, 1.5, 2, 3, INF])
def test_one_step(p, mode):
    x, y, sample_weight = data()
    ascent = keras_sam.ascents.LpBall(p)
    model = keras_sam.SAMModel(*network(), rho=RHO, ascent=ascent)
    model.compile(keras.optimizers.SGD(RATE), "mse", metrics=["mae"], **mode)
    weights = [array(v) for v in model.trainable_weights]

    hand = Normalized(*weights)
    perturbed = Normalized(*weights)
    loss, g = hand.loss_and_gradients(weights, x, y, sample_weight)
    eps = steepest(g, p, RHO)
    w_eps = [w + e for w, e in zip(weights, eps)]
    loss_perturbed, s = perturbed.loss_and_gradients(w_eps, x, y, sample_weight)

    logs = model.train_on_batch(x, y, sample_weight, return_dict=True)
    for variable, w, gradient in zip(model.trainable_weights, weights, s):
        np.testing.assert_allclose(array(variable), w - RATE * gradient, rtol=1e-12)
    moving_mean, moving_variance = model.layers[2].non_trainable_weights
    keep = Normalized.momentum
    np.testing.assert_allclose(array(moving_mean), (1 - keep) * hand.mean, rtol=1e-12)
    np.testing.assert_allclose(
        array(moving_variance), keep + (1 - keep) * hand.variance, rtol=1e-12
    )
    np.testing.assert_allclose(logs["loss"], loss, rtol=1e-6)
    np.testing.assert_allclose(logs["sharpness"], loss_perturbed - loss, rtol=1e-6)


def test_momentum_sees_the_perturbed_gradient_alone():
    x, y, sample_weight = data()
    model = keras_sam.SAMModel(*network(), rho=RHO)
    model.compile(keras.optimizers.SGD(RATE, momentum=0.5), "mse")
    weights = [array(v) for v in model.trainable_weights]
    velocity = [np.zeros_like(w) for w in weights]
    hand = Normalized(*weights)
    for _ in range(3):
        _, g = hand.loss_and_gradients(weights, x, y, sample_weight)
        w_eps = [w + e for w, e in zip(weights, steepest(g, 2, RHO))]
        _, s = hand.loss_and_gradients(w_eps, x, y, sample_weight)
        velocity = [0.5 * v - RATE * gradient for v, gradient in zip(velocity, s)]
        weights = [w + v for w, v in zip(weights, velocity)]
        model.train_on_batch(x, y, sample_weight)
    for variable, w in zip(model.trainable_weights, weights):
        np.testing.assert_allclose(array(variable), w, rtol=1e-12)


def test_a_schedule_of_rho_follows_the_iterations():
    x, y, sample_weight = data()
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.5, 0.25, 0.0])
    models = [keras_sam.SAMModel(*network(), rho=rho) for rho in (schedule, 0.0)]
    models[1].set_weights(models[0].get_weights())
    for model in models:
        model.compile(keras.optimizers.SGD(RATE), "mse")
    for rho in (0.5, 0.25, 0.0, 0.0):
        models[1].rho = rho
        for model in models:
            model.reset_metrics()
        logs = [m.train_on_batch(x, y, sample_weight, return_dict=True) for m in models]
        assert logs[0] == logs[1]
    for a, b in zip(*(model.get_weights() for model in models)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("descent", [None, keras_sam.descents.Weighted(0.5)])
def test_fixed_weights_stay_and_get_the_clean_gradient(descent):
    """What float8 training has as the gradient of a scale is its next value."""
    model = keras_sam.SAMModel(*network(), rho=1.0, descent=descent)
    model.compile("sgd", "mse")
    variables = model.trainable_weights
    variables[1].overwrite_with_gradient = True
    state = model._sharpness_aware
    state.build(model)
    seen = []

    def evaluate(weights, at=None):
        seen.append([float(array(w).ravel()[0]) for w in weights])
        loss = keras.ops.sum(weights[0]) * 0.0 + 7.0 * len(seen)
        gradients = [keras.ops.ones_like(w) * len(seen) for w in weights]
        return Pass(loss, None, gradients, [("state", len(seen))])

    weights = [keras.ops.zeros_like(v.value) for v in variables]
    optimizer = model.optimizer
    rules = Rules(
        state.settings,
        Now(state.radius(optimizer), state.time(optimizer), lambda: None),
        objective_of(model),
        state.perturbed,
        Gradients(variables, scale=1.0, average=None),
    )
    step = sharpness_aware_step(evaluate, weights, rules, Memory([], []))
    assert seen[0] == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(seen[1], [10**-0.5, 0.0, 10**-0.5])
    assert [float(array(g).ravel()[0]) for g in step.gradients] == [2.0, 1.0, 2.0]
    assert float(step.sharpness) == 7.0
    assert float(step.kept.loss) == 7.0 and step.kept.updates == [("state", 1)]


def test_both_passes_see_the_same_dropout_mask():
    # The loss is linear in w, so it rises by exactly rho ||g|| if both passes see the
    # same g; and at this rate the step moves w by the g of the perturbed pass.
    inputs = keras.Input((50,))
    outputs = layers.Dense(1, use_bias=False)(layers.Dropout(0.5)(inputs))
    model = keras_sam.SAMModel(inputs, outputs, rho=RHO)
    model.compile(keras.optimizers.SGD(1.0), lambda y, y_pred: y_pred)
    masks = []
    for _ in range(2):
        before = array(model.trainable_weights[0])
        model.reset_metrics()
        logs = model.train_on_batch(np.ones((8, 50)), np.ones((8, 1)), return_dict=True)
        masks.append(before - array(model.trainable_weights[0]))
        rise = RHO * np.linalg.norm(masks[-1])
        np.testing.assert_allclose(logs["sharpness"], rise, rtol=1e-6)
    assert np.any(masks[0] != masks[1])

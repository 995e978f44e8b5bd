"""What happens where the loss, or its gradient, is not finite at w + eps."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.helpers import MODES, array, assert_identical

FAR = 1e4
PARTS = {
    "sam": {},
    "second order": {"second_order": True},
    "gsam": {"descent": descents.GSAM()},
    "stable": {"descent": descents.Stable()},
    "look": {"schedule": schedules.Every(2, reuse=0.5)},
    "adaptive": {"ascent": ascents.Adaptive()},
}


def model(cls=keras_sam.SAMModel, optimizer=None, loss=None, mode=None, **settings):
    """Its loss is infinite where the weights are large."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    x = layers.BatchNormalization()(layers.Dense(4)(inputs))
    outputs = layers.Dense(1, dtype="float32")(x)
    made = cls(inputs, outputs, **settings)
    made.compile(
        optimizer or keras.optimizers.SGD(1e-3, momentum=0.5),
        loss or (lambda y, y_pred: ops.exp(0.1 * ops.square(y_pred))),
        **(mode or {}),
    )
    return made


def data(n=32):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 8)).astype("float32")
    return x, np.ones((n, 1), "float32")


def fit(model, **kwargs):
    logs = model.fit(*data(), batch_size=16, shuffle=False, verbose=0, epochs=2).history
    return logs, [array(ops.cast(v, "float32")) for v in model.variables]


@pytest.mark.parametrize("policy", ["float32", "bfloat16", "mixed_float16"])
@pytest.mark.parametrize("mode", MODES)
def test_the_batch_takes_the_plain_step(policy, mode):
    keras.config.set_dtype_policy(policy)

    def optimizer():
        inner = keras.optimizers.SGD(1e-3, momentum=0.5)
        if policy != "mixed_float16":
            return inner
        return keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0)

    plain_logs, plain = fit(model(keras.Model, optimizer(), mode=mode))
    logs, weights = fit(model(optimizer=optimizer(), rho=FAR, mode=mode))
    assert logs.pop("sharpness") == [np.inf, np.inf]
    rtol = 1e-5 if mode.get("jit_compile") else 0.0
    rtol = rtol and (1e-2 if policy != "float32" else rtol)
    assert_identical(list(logs.values()), list(plain_logs.values()), rtol)
    assert_identical(weights, plain, rtol)
    assert all(np.isfinite(w).all() for w in weights)


@pytest.mark.parametrize("name", PARTS)
def test_whatever_the_parts(name):
    _, plain = fit(model(keras.Model))
    logs, weights = fit(model(rho=FAR, **PARTS[name]))
    assert logs["sharpness"] == [np.inf, np.inf]
    assert_identical(weights, plain, rtol=1e-6)


def test_a_gradient_that_is_infinite_where_the_loss_is_not():
    """The root of 0 at w + eps, where w is 1. The gradient is the one at w then."""

    def loss(y, y_pred):
        return ops.sqrt(ops.maximum(y_pred, 0.0))

    for cls, settings in ((keras.Model, {}), (keras_sam.SAMModel, {"rho": 1.0})):
        inputs = keras.Input((1,))
        kwargs = {"use_bias": False, "kernel_initializer": "ones"}
        net = cls(inputs, -layers.Dense(1, **kwargs)(inputs), **settings)
        net.compile(keras.optimizers.SGD(0.5), lambda y, y_pred: loss(y, -y_pred))
        ascent = keras_sam.ascents.LpBall()
        ascent.direction = lambda g, memory: [-t for t in g]
        if settings:
            net.ascent = ascent
        logs = net.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0).history
        np.testing.assert_allclose(array(net.trainable_weights[0]), [[0.75]])
    assert logs["sharpness"] == [-1.0]


def test_one_bad_group_among_good_ones():
    """It alone takes the plain step; the others climb."""
    x, y = data(16)
    y *= 1e-4
    y[4:8] = 1

    def gradient(rows, rho):
        one = model(optimizer=keras.optimizers.SGD(1.0), loss=gentle, rho=rho)
        before = [array(v) for v in one.trainable_weights]
        logs = one.train_on_batch(x[rows], y[rows], return_dict=True)
        moves = [b - array(v) for b, v in zip(before, one.trainable_weights)]
        return moves, float(logs["sharpness"])

    def gentle(y, y_pred):
        return ops.exp(ops.square(y_pred) * y)

    groups = [slice(i, i + 4) for i in range(0, 16, 4)]
    taken = [gradient(rows, 30.0) for rows in groups]
    assert [np.isinf(sharpness) for _, sharpness in taken] == [False, True, False, False]
    expected = [np.mean(moves, axis=0) for moves in zip(*(moves for moves, _ in taken))]
    whole = model(optimizer=keras.optimizers.SGD(1.0), loss=gentle, rho=30.0, m=4)
    before = [array(v) for v in whole.trainable_weights]
    logs = whole.train_on_batch(x, y, return_dict=True)
    assert logs["sharpness"] == np.inf
    moves = [b - array(v) for b, v in zip(before, whole.trainable_weights)]
    for actual, expect in zip(moves, expected):
        np.testing.assert_allclose(actual, expect, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_loss_scaling_goes_on_skipping(rho):
    """What only the scale of the loss makes overflow is skipped, and lowers the scale."""
    keras.config.set_dtype_policy("mixed_float16")
    scales = []
    for cls in (keras.Model, keras_sam.SAMModel):
        optimizer = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.01), initial_scale=2.0**40
        )
        settings = {"rho": rho} if cls is keras_sam.SAMModel else {}
        net = model(cls, optimizer, "mse", **settings)
        before = [array(v) for v in net.trainable_weights]
        logs = net.train_on_batch(*data(), return_dict=True)
        scales.append(float(array(optimizer.dynamic_scale)))
        assert_identical([array(v) for v in net.trainable_weights], before)
    assert scales == [2.0**39, 2.0**39]
    assert np.isfinite(logs["sharpness"])


@pytest.mark.parametrize(
    "parts",
    [
        {"ascent": ascents.LastStep()},
        {"ascent": ascents.Momentum()},
        {"schedule": schedules.Fraction(0.5)},
    ],
)
def test_without_a_pass_over_the_batch_at_w(parts):
    """The state, too, stays finite: it is that of the pass at w + eps."""
    net = model(rho=1e20, optimizer=keras.optimizers.SGD(1e-3), **parts)
    logs, weights = fit(net)
    assert all(np.isfinite(w).all() for w in weights)
    assert not np.isfinite(logs["loss"][0])


def test_where_plain_training_is_infinite_too():
    def loss(y, y_pred):
        return ops.exp(ops.abs(y_pred) + 1e3)

    _, plain = fit(model(keras.Model, loss=loss))
    _, weights = fit(model(loss=loss, rho=0.0))
    assert_identical(weights, plain)
    assert not all(np.isfinite(w).all() for w in weights)


def test_what_the_scale_of_the_loss_makes_overflow_is_the_optimizers_to_skip():
    """The gradient times the scale is 3e37 at w, and beyond float32 at w + eps."""
    inputs = keras.Input((1,))
    kwargs = {"use_bias": False, "kernel_initializer": "ones"}
    net = keras_sam.SAMModel(inputs, layers.Dense(1, **kwargs)(inputs), rho=1.0)
    scaled = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=2.0**123
    )
    net.compile(scaled, lambda y, y_pred: y_pred**6 / 2)
    net.train_on_batch(np.ones((4, 1)), np.ones((4, 1)))
    np.testing.assert_array_equal(array(net.trainable_weights[0]), [[1.0]])
    assert float(array(scaled.dynamic_scale)) == 2.0**122

"""Where a variant is SAM or plain training, and what ASAM does not see."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.helpers import (
    MODES,
    array,
    assert_identical,
    long_if_eager,
    long_on,
    state,
)
from tests.models import classify, cnn, random_images
from tests.plain import trained
from tests.rules import INF

pytestmark = long_on("jax")

SAM = {
    "one step": {"ascent": lambda: ascents.LpBall(steps=1)},
    "friendly": {"ascent": lambda: ascents.Friendly(sigma=0)},
    "averaged": {"ascent": lambda: ascents.Averaged(theta=1)},
    "all weights": {"ascent": lambda: ascents.LpBall(variables=".")},
    "gsam": {"descent": lambda: descents.GSAM(alpha=0)},
    "weighted": {"descent": lambda: descents.Weighted(gamma=0.5)},
    "every": {"schedule": lambda: schedules.Every(1)},
    "between": {"schedule": lambda: schedules.Between()},
    "adaptive": {"schedule": lambda: schedules.Adaptive(c=-1e9)},
}


def fit(model):
    data = random_images(50)
    return model.fit(*data, batch_size=16, epochs=2, shuffle=False, verbose=0).history


def train(**settings):
    return trained(lambda: classify(keras_sam.SAMModel(*cnn(seed=1), **settings)), fit)


@functools.cache
def sam():
    model, logs = train()
    return state(model), logs


@pytest.mark.parametrize("limit", SAM)
def test_limits_that_are_sam(limit):
    actual, logs = train(**{name: make() for name, make in SAM[limit].items()})
    expected, sam_logs = sam()
    assert_identical(state(actual), expected, rtol=1e-4)
    assert logs.keys() == sam_logs.keys()
    np.testing.assert_allclose(logs["sharpness"], sam_logs["sharpness"], rtol=1e-2)


PLAIN = {
    "never": {"schedule": lambda: schedules.Between(10**6)},
    "never an epoch": {"schedule": lambda: schedules.Between(9, unit="epochs")},
    "never, last step": {
        "ascent": lambda: ascents.LastStep(),
        "schedule": lambda: schedules.Between(10**6),
    },
    "never, gsam": {
        "descent": lambda: descents.GSAM(),
        "schedule": lambda: schedules.Between(10**6),
    },
    "never, adaptive": {"schedule": lambda: schedules.Adaptive(c=1e9, decay=0.5)},
}


@pytest.mark.parametrize("limit", PLAIN)
@pytest.mark.parametrize(
    "mode", long_if_eager(m for m in MODES if not m.get("jit_compile"))
)
@pytest.mark.usefixtures("literal_graphs")
def test_limits_that_are_plain_training(limit, mode):
    """TensorFlow's graph optimizer merges a gradient's sums with the optimizer's, except
    through a `cond`: it rounds the two otherwise."""

    parts = {name: make() for name, make in PLAIN[limit].items()}
    plain, plain_logs = trained(lambda: classify(keras.Model(*cnn(seed=1)), **mode), fit)
    never, logs = trained(
        lambda: classify(keras_sam.SAMModel(*cnn(seed=1), **parts), **mode), fit
    )
    logs.pop("sharpness", None)
    assert logs == plain_logs
    assert_identical(state(never), state(plain))


def test_a_sparse_gradient_stays_so():
    """Keras's Adam treats the rows of an embedding otherwise than a dense gradient."""
    rng = np.random.default_rng(0)
    data = rng.integers(0, 20, (24, 5)), rng.integers(0, 3, 24)

    def make(model, **settings):
        inputs = keras.Input((5,), dtype="int32")
        x = keras.layers.Embedding(20, 4)(inputs)
        outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(x))
        return classify(model(inputs, outputs, **settings), "adam")

    def train(model):
        return model.fit(*data, batch_size=8, epochs=2, verbose=0)

    never = {"rho": 0.1, "schedule": schedules.Between(10**6)}
    plain, _ = trained(lambda: make(keras.Model), train)
    sam, _ = trained(lambda: make(keras_sam.SAMModel, **never), train)
    assert_identical(state(sam), state(plain), rtol=1e-6)


class Kernel:
    name = "kernel"


@pytest.mark.parametrize("eta", [0, 0.1])
@pytest.mark.parametrize("p", [2, INF])
def test_adaptive_at_zero(p, eta):
    """All weights being 0, the ball has the size that eta gives it; without, none."""
    gradient = np.array([3.0, 0.0, -4.0], "float32")
    ascent = ascents.Adaptive(p, eta)
    ascent.build([Kernel])
    tensors = [keras.ops.convert_to_tensor(t) for t in (0 * gradient, gradient)]
    (eps,) = ascent(*([t] for t in tensors), 0.5)
    direction = gradient / 5 if p == 2 else np.sign(gradient)
    np.testing.assert_allclose(array(eps), 0.5 * eta * direction, rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(exponent=st.integers(-6, 6), seed=st.integers(0, 99), p=st.sampled_from([2, INF]))
def test_adaptive_does_not_see_how_two_layers_share_their_scale(exponent, seed, p):
    """(a W1, W2 / a) is the same network as (W1, W2), and stays so at w + eps."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 1))
    weights = rng.normal(size=(4, 5)), rng.normal(size=(5, 1))
    scale = 2.0**exponent

    ascent = ascents.Adaptive(p, eta=0)
    ascent.build([Kernel, Kernel])

    def outputs(first, second):
        return np.maximum(x @ first, 0) @ second

    def perturbed(first, second):
        hidden = np.maximum(x @ first, 0)
        error = 2 * (hidden @ second - y) / len(x)
        g = x.T @ (error @ second.T * (hidden > 0)), hidden.T @ error
        tensors = [keras.ops.convert_to_tensor(w, "float32") for w in (first, second)]
        gradients = [keras.ops.convert_to_tensor(d, "float32") for d in g]
        eps = ascent(tensors, gradients, 0.3)
        return outputs(*(w + array(e) for w, e in zip((first, second), eps)))

    rescaled = weights[0] * scale, weights[1] / scale
    np.testing.assert_allclose(
        perturbed(*rescaled), perturbed(*weights), rtol=1e-3, atol=1e-4
    )

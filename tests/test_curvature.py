"""What the logs say of the Hessian: exact on a quadratic, wherever a step can run."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from keras_sam import ascents, schedules
from keras_sam._step.curvature import NAMES
from tests import dense, memories
from tests.helpers import BACKEND, MODES, array, assert_identical, long_if_eager, state
from tests.models import classify, rows, small

RHO, RATE = 0.25, 0.125


def quadratic(**settings):
    inputs = keras.Input((4,))
    outputs = layers.Dense(2, use_bias=False)(inputs)
    return keras_sam.SAMModel(inputs, outputs, rho=RHO, curvature=True, **settings)


def by_hand(w, x, y, scale=lambda g: RHO * g / np.linalg.norm(g)):
    """The five, for L(w) = mean (x w - y)^2, whose Hessian is 2 x'x / n for each output."""
    hessian = 2 * x.T @ x / y.size
    g = hessian @ w - 2 * x.T @ y / y.size
    eps = scale(g)
    he, r, size = hessian @ eps, np.linalg.norm(eps), np.linalg.norm(g)
    s = g + he
    steep = r / size
    edge = (np.sqrt(1 + 8 * steep / RATE) - 1) / (2 * steep)
    assert abs(RATE * edge * (1 + steep * edge) - 2) < 1e-9
    cosine = (g * s).sum() / (size * np.linalg.norm(s))
    bound = np.linalg.norm(he) / r
    assert bound <= np.linalg.eigvalsh(hessian).max() + 1e-12
    return [size, cosine, (eps * he).sum() / r**2, bound, edge]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mode", long_if_eager(MODES))
@pytest.mark.parametrize("m", [None, 7])
def test_by_hand(m, mode):
    x, y, _ = dense.data()
    model = quadratic(m=m)
    model.compile(keras.optimizers.SGD(RATE), "mse", **mode)
    w = array(model.weights[0])
    parts = [slice(i, i + 7) for i in range(0, 21, 7)] if m else [slice(0, 21)]
    expected = np.mean([by_hand(w, x[p], y[p]) for p in parts], axis=0)
    logs = model.fit(x, y, batch_size=21, shuffle=False, verbose=0).history
    found = [logs[name][0] for name in NAMES]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.usefixtures("float64")
def test_another_ascent():
    """Along its perturbation, whatever that is."""
    x, y, _ = dense.data()
    model = quadratic(ascent=ascents.LpBall(float("inf")))
    model.compile(keras.optimizers.SGD(RATE), "mse")
    expected = by_hand(array(model.weights[0]), x, y, lambda g: RHO * np.sign(g))
    logs = model.train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose([logs[n] for n in NAMES], expected, rtol=1e-9)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_it_changes_nothing_of_the_training(policy):
    keras.config.set_dtype_policy(policy)
    states, logs = [], []
    for curvature in (False, True):
        keras.utils.set_random_seed(0)
        model = keras_sam.SAMModel(*small(), rho=0.1, curvature=curvature)
        classify(model, keras.optimizers.SGD(0.1, momentum=0.9))
        logs.append(model.fit(*rows(), batch_size=8, shuffle=False, verbose=0).history)
        states.append(model.get_weights())
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert set(logs[1]) - set(logs[0]) == set(NAMES)
    assert np.isfinite([logs[1][name][0] for name in NAMES]).all()
    assert 0 < logs[1]["gradient_cosine"][0] <= 1


def test_loss_scaling_is_not_in_it():
    found = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(0)
        inputs = keras.Input((4,))
        outputs = layers.Dense(2, dtype="float32")(layers.Dense(8)(inputs))
        model = keras_sam.SAMModel(inputs, outputs, rho=0.5, curvature=True)
        optimizer = keras.optimizers.SGD(0.1)
        if policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)
        model.compile(optimizer, "mse")
        x, y, _ = dense.data()
        logs = model.train_on_batch(x, y, return_dict=True)
        found.append([float(logs[name]) for name in NAMES])
    np.testing.assert_allclose(*found, rtol=0.02)


def test_a_batch_whose_gradient_overflows_does_not_count():
    keras.config.set_dtype_policy("mixed_float16")
    inputs = keras.Input((4,))
    outputs = layers.Dense(2, dtype="float32")(layers.Dense(8)(inputs))
    model = keras_sam.SAMModel(inputs, outputs, rho=0.5, curvature=True)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), 1e9)
    model.compile(scaled, "mse")
    x, y, _ = dense.data()
    logs = model.fit(x, y, batch_size=1, epochs=2, verbose=0).history
    assert np.isfinite([logs[name] for name in NAMES]).all()
    assert logs["gradient_norm"][1] > 0


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
@pytest.mark.parametrize("m", [None, "global"])
def test_replicas_are_one_device_with_m(m):
    found = []
    for count in (memories.REPLICAS, 1):
        keras.backend.clear_session()
        with memories.replicated(count):
            keras.utils.set_random_seed(1)
            alone = {None: memories.LOCAL, "global": None}[m] if count == 1 else m
            model = keras_sam.SAMModel(
                *memories.network(), rho=0.5, m=alone, curvature=True
            )
            classify(model, keras.optimizers.SGD(0.1))
            x, y = memories.data(1)
            logs = model.fit(x, y, batch_size=8, shuffle=False, verbose=0).history
            found.append([logs[name][0] for name in NAMES])
    np.testing.assert_allclose(*found, rtol=1e-4)


def test_a_radius_of_zero_has_no_curvature():
    x, y, _ = dense.data()
    model = quadratic()
    model.rho = 0
    model.compile(keras.optimizers.SGD(RATE), "mse")
    logs = model.train_on_batch(x, y, return_dict=True)
    assert logs["curvature"] == logs["spectral_bound"] == 0
    np.testing.assert_allclose(logs["edge_of_stability"], 2 / RATE, rtol=1e-6)


def test_it_can_be_set(tmp_path):
    model = classify(keras_sam.SAMModel(*small()))
    fit = {"x": rows()[0], "y": rows()[1], "batch_size": 8, "verbose": 0}
    assert "curvature" not in model.fit(**fit).history
    model.curvature = True
    assert "curvature" in model.fit(**fit).history
    assert isinstance(model.evaluate(*rows(), verbose=0), list)
    assert not set(NAMES) & set(model.metrics_names)
    assert len(model.train_on_batch(*rows())) == 2
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.curvature and "curvature" in loaded.fit(**fit).history
    model.curvature = False
    assert "curvature" not in model.fit(**fit).history


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": schedules.Every(2)},
        {"schedule": schedules.Fraction(0.5)},
        {"ascent": ascents.LastStep()},
        {"second_order": True},
    ],
    ids=str,
)
def test_what_it_cannot_go_with(settings):
    with pytest.raises(ValueError, match=r"`curvature` needs the gradients.*Received: "):
        keras_sam.SAMModel(*small(), curvature=True, **settings)
    model = keras_sam.SAMModel(*small(), curvature=True)
    before = state(classify(model))
    (name,) = settings
    with pytest.raises(ValueError, match="`curvature` needs the gradients"):
        setattr(model, name, settings[name])
    assert_identical(state(model), before)


def test_not_a_bool():
    with pytest.raises(ValueError, match=r"`curvature` must be a bool.*Received: "):
        keras_sam.SAMModel(*small(), curvature="yes")

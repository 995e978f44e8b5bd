"""What the logs say of climbs and the Hessian: exact on a quadratic, wherever it runs."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from keras_sam import ascents, schedules
from keras_sam._step.curvature import NAMES
from keras_sam.norms import norm
from tests import dense, memories
from tests.helpers import (
    BACKEND,
    MODES,
    array,
    assert_identical,
    groups_of,
    long_if_eager,
    only_on,
    state,
)
from tests.models import classify, rows, small

RHO, RATE = 0.25, 0.125
SHARING = [(None, None), (None, 1.8), ("global", None)]
if BACKEND == "jax":  # TensorFlow refuses it.
    SHARING.append(("global", 1.8))


def quadratic(**settings):
    inputs = keras.Input((4,))
    outputs = layers.Dense(2, use_bias=False)(inputs)
    return keras_sam.SAMModel(inputs, outputs, rho=RHO, curvature=True, **settings)


class Steep(schedules.Schedule):
    """Climbs where the gradient is longer than a bound: of groups, each by its own."""

    needs_gradient = True

    def __init__(self, bound, **kwargs):
        super().__init__(**kwargs)
        self.bound = bound

    def climbs(self, time, gradients, memory):
        return norm(gradients) > self.bound, memory


def gradient(w, x, y):
    return 2 * x.T @ (x @ w - y) / y.size


def by_hand(w, x, y, scale=lambda g: RHO * g / np.linalg.norm(g)):
    """All, for L(w) = mean (x w - y)^2, whose Hessian is 2 x'x / n for each output."""
    hessian = 2 * x.T @ x / y.size
    g = gradient(w, x, y)
    eps = scale(g)
    he, r, size = hessian @ eps, np.linalg.norm(eps), np.linalg.norm(g)
    s = g + he
    steep = r / size
    edge = (np.sqrt(1 + 8 * steep / RATE) - 1) / (2 * steep)
    assert abs(RATE * edge * (1 + steep * edge) - 2) < 1e-9
    cosine = (g * s).sum() / (size * np.linalg.norm(s))
    bound = np.linalg.norm(he) / r
    assert bound <= np.linalg.eigvalsh(hessian).max() + 1e-12
    return [1, size, r, cosine, (eps * he).sum() / r**2, bound, edge]


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
@pytest.mark.parametrize("mode", long_if_eager(MODES))
@pytest.mark.parametrize("m", [None, 8])
def test_steps_that_do_not_climb(m, mode):
    """Two batches; with m their groups, each as long as it is and by its own gradient."""
    x, y, _ = dense.data(42)
    bound = 2.2
    model = quadratic(m=m, schedule=Steep(bound) if m else schedules.Every(2))
    model.compile(keras.optimizers.SGD(RATE), "mse", **mode)
    w, found, sizes = np.random.default_rng(1).normal(size=(4, 2)), [], []
    model.set_weights([w])
    for batch in (slice(0, 21), slice(21, 42)):
        update = 0
        for part in groups_of(21, m or 21):
            rows, targets = x[batch][part], y[batch][part]
            g = gradient(w, rows, targets)
            long = np.linalg.norm(g)
            climbs = long > bound if m else batch.start == 0
            measures = by_hand(w, rows, targets) if climbs else [0, long, *[0] * 5]
            moved = w + climbs * RHO * g / long
            found.append(measures)
            sizes.append(len(rows))
            update += gradient(moved, rows, targets) * len(rows) / 21
        w = w - RATE * update
    found, sizes = np.array(found), np.array(sizes)
    climb = sizes * found[:, 0]
    assert 0 < climb.sum() < sizes.sum()
    known = [sizes, sizes, *[climb] * 5]
    expected = [np.average(*pair) for pair in zip(found.T, [None] * 7, known)]
    logs = model.fit(x, y, batch_size=21, shuffle=False, verbose=0).history
    np.testing.assert_allclose(array(model.weights[0]), w, rtol=1e-9)
    np.testing.assert_allclose([logs[name][0] for name in NAMES], expected, rtol=1e-9)


def test_a_training_without_a_climb():
    model = classify(
        keras_sam.SAMModel(*small(), schedule=schedules.Between(9), curvature=True)
    )
    logs = model.fit(*rows(), batch_size=8, verbose=0).history
    size = logs.pop("gradient_norm")[0]
    assert size > 0
    assert all(logs[name] == [0] for name in NAMES if name in logs)


@pytest.mark.usefixtures("float64")
def test_another_ascent():
    """Along its perturbation, whatever that is."""
    x, y, _ = dense.data()
    model = quadratic(ascent=ascents.LpBall(float("inf")))
    model.compile(keras.optimizers.SGD(RATE), "mse")
    expected = by_hand(array(model.weights[0]), x, y, lambda g: RHO * np.sign(g))
    logs = model.train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose([logs[n] for n in NAMES], expected, rtol=1e-9)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "bfloat16"])
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
@pytest.mark.parametrize("m, bound", SHARING)
def test_replicas_are_one_device_with_m(m, bound):
    """With a bound, those that share a perturbation decide for themselves if they climb."""
    found = []
    for count in (memories.REPLICAS, 1):
        keras.backend.clear_session()
        with memories.replicated(count):
            keras.utils.set_random_seed(1)
            alone = {None: memories.LOCAL, "global": None}[m] if count == 1 else m
            settings = {"m": alone, "schedule": bound and Steep(bound), "curvature": True}
            model = keras_sam.SAMModel(*memories.network(), rho=0.5, **settings)
            classify(model, keras.optimizers.SGD(0.1))
            rng = np.random.default_rng(1)
            model.set_weights([rng.normal(size=w.shape) for w in model.weights])
            x, y = memories.data(3)
            logs = model.fit(x, y, batch_size=8, shuffle=False, verbose=0).history
            found.append([logs[name][0] for name in NAMES])
    np.testing.assert_allclose(*found, rtol=1e-4)
    assert 0 < found[0][0] < 1 if bound else found[0][0] == 1


@only_on("tensorflow", reason="There each replica runs a step of its own.")
def test_replicas_that_would_have_to_meet_in_some_steps():
    with memories.replicated():
        schedule = {"schedule": schedules.Every(2), "curvature": True}
        model = keras_sam.SAMModel(*memories.network(), m="global", **schedule)
        classify(model)
        with pytest.raises(ValueError, match=r"cannot meet on some steps.*curvature=True"):
            model.fit(*memories.data(1), batch_size=8, verbose=0)


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

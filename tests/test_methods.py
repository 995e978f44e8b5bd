"""A whole step of the user's own: by hand, and wherever a rule of the package can be."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents, schedules
from tests import by_hand, loops, memories, methods
from tests.by_hand import RHO, along, norm, unit
from tests.helpers import BACKEND, MODES, array, assert_identical, long_if_eager, state
from tests.models import classify, rows, small
from tests.regression import RATE, network
from tests.test_variants import batches, train_by_hand

DOCUMENTED = methods.documented()


def gnp(gradient, w, t):
    g = gradient(w)
    return 0.2 * g + 0.8 * gradient(w + RHO * unit(g))


def usam(gradient, w, t):
    return gradient(w + RHO * gradient(w))


def lookbehind(gradient, w, t):
    there, total = w, 0
    for _ in range(3):
        there = there + RHO * unit(gradient(there))
        total = total + gradient(there)
    return 0.4 * total


def sampa():
    update, last = None, 0
    while True:
        gradient, w = yield update
        s, last = gradient(w + RHO * unit(last + 0 * w)), gradient(w - RATE * last)
        update = 0.8 * s + 0.2 * last


def eigen():
    update, v = None, 0
    while True:
        gradient, w = yield update
        g = unit(gradient(w))
        v = v + 0 * w
        d = g + 0.2 * np.sign(g @ v) * (v - along(v, g))
        update = gradient(w + RHO * d)
        v = unit(update - gradient(w))


BY_HAND = {
    "GNP": ({}, by_hand.rule(gnp)),
    "USAM": ({}, by_hand.rule(usam)),
    "Lookbehind": ({"k": 3, "alpha": 0.4}, by_hand.rule(lookbehind)),
    "SAMPa": ({}, sampa),
    "EigenSAM": ({}, eigen),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mode", long_if_eager(MODES))
@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name, mode):
    arguments, rule = BY_HAND[name]
    method = DOCUMENTED[name](**arguments)
    model = keras_sam.SAMModel(*network(), rho=RHO, method=method)
    model.compile(keras.optimizers.SGD(RATE), "mse", **mode)
    expected = train_by_hand(rule, by_hand.flat(model.trainable_weights))
    for batch in batches():
        model.train_on_batch(*batch)
    actual = by_hand.flat(model.trainable_weights)
    np.testing.assert_allclose(actual, expected, rtol=1e-11)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("weighted", [False, True])
def test_imbsam_by_hand(weighted):
    """Softmax regression, of whose classes the last one is rare."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 4)), np.array([0, 2, 1, 0, 2, 1])
    weight = rng.uniform(0.5, 2, 6) if weighted else np.ones(6)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, use_bias=False)])
    w = array(model.weights[0])

    def gradient(w, weight):
        p = np.exp(x @ w)
        p /= p.sum(1, keepdims=True)
        return x.T @ ((p - np.eye(3)[y]) * weight[:, None]) / 6

    rare = gradient(w, weight * (y == 2))
    there = gradient(w + RHO * rare / norm(rare.ravel()), weight * (y == 2))
    expected = w - RATE * (gradient(w, weight) - rare + there)
    method = DOCUMENTED["ImbSAM"]([2])
    model = keras_sam.SAMModel.from_model(model, rho=RHO, method=method)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(RATE), loss)
    model.train_on_batch(x, y, weight if weighted else None)
    np.testing.assert_allclose(array(model.weights[0]), expected, rtol=1e-11)


# What is the same by the package's own parts, and what may differ by rounding.
PAIRS = {
    "paper": (methods.Paper, dict),
    "friendly": (methods.Friendly, lambda: {"ascent": ascents.Friendly(0.5, 0.75)}),
    "half": (methods.Half, lambda: {"schedule": schedules.Fraction(0.5)}),
    "second order": (methods.SecondOrder, lambda: {"second_order": True}),
}


CASES = [
    pytest.param(
        pair, *case, marks=[] if pair in ("friendly", "half") else pytest.mark.slow
    )
    for pair in PAIRS
    for case in [("float32", 4), ("mixed_float16", None), ("mixed_float16", 4)]
]


@pytest.mark.parametrize("pair, policy, m", [("second order", "float32", None), *CASES])
def test_it_is_the_part_that_it_copies(pair, policy, m):
    """With batch norm and dropout, in mixed precision, and in groups."""
    keras.config.set_dtype_policy(policy)
    method, parts = PAIRS[pair]
    states = []
    for settings in ({"method": method()}, parts()):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((8,))
        x = keras.layers.BatchNormalization()(keras.layers.Dense(16)(inputs))
        x = keras.layers.Dropout(0.5, seed=3)(keras.layers.ReLU()(x))
        outputs = keras.layers.Dense(3, dtype="float32")(x)
        model = keras_sam.SAMModel(inputs, outputs, rho=0.1, m=m, **settings)
        classify(model, keras.optimizers.SGD(0.1, momentum=0.9))
        model.fit(*rows(), batch_size=8, epochs=2, shuffle=False, verbose=0)
        states.append(state(model))
    tolerance = {"float32": 1e-5, "mixed_float16": 2e-3}[policy]
    assert_close(*states, tolerance)


def assert_close(actual, expected, tolerance):
    for a, b in zip(keras.tree.flatten(actual), keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("pair", ["paper", "friendly"])
def test_in_a_loop(pair):
    method, parts = PAIRS[pair]
    model, network = loops.both(rho=0.1, **parts())
    classify(model, keras.optimizers.SGD(0.1))
    model.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    grad = keras_sam.value_and_grad(
        loops.loss_of(network), network, rho=0.1, method=method()
    )
    loops.train(grad, keras.optimizers.SGD(0.1), loops.batches_of(*rows(), 8))
    assert_close([array(w) for w in network.weights], model.get_weights(), 1e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
@pytest.mark.parametrize("m", [None, "global"])
def test_on_replicas(m):
    results = []
    for settings in ({"method": methods.Friendly()}, PAIRS["friendly"][1]()):
        keras.backend.clear_session()
        with memories.replicated():
            keras.utils.set_random_seed(1)
            model = keras_sam.SAMModel(*memories.network(), rho=0.5, m=m, **settings)
            classify(model, keras.optimizers.SGD(0.1))
            model.fit(*memories.data(), batch_size=8, shuffle=False, verbose=0)
            results.append(model.get_weights())
    assert_close(*results, 1e-5)


def test_it_is_saved_and_resumed(tmp_path):
    model = classify(keras_sam.SAMModel(*small(), method=methods.Friendly()))
    model.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.method) is methods.Friendly
    for each in (model, loaded):
        each.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    assert_identical(state(loaded), state(model))


def test_a_radius_of_zero_is_plain_training():
    results = []
    for method in (None, methods.Paper()):
        keras.utils.set_random_seed(0)
        model = keras_sam.SAMModel(*small(), rho=0, method=method)
        classify(model)
        logs = model.fit(*rows(), batch_size=8, shuffle=False, verbose=0).history
        results.append([model.get_weights(), logs["loss"]])
    assert_close(*results, 1e-6)


def step_of(result):
    class Wrong(keras_sam.methods.Method):
        def __call__(self, evaluate, weights, memory, now):
            return result(evaluate, weights)

    return Wrong()


def rows_of(batch):
    return keras.tree.map_structure(lambda t: None if t is None else t[:2], batch)


@pytest.mark.parametrize(
    "result, message",
    [
        (lambda evaluate, w: evaluate(w), "must return a tuple of the kept pass"),
        (lambda evaluate, w: (None, w, []), "as the first of three what `evaluate` gave"),
        (
            lambda evaluate, w: (evaluate(w, rows=rows_of), w, []),
            "as the first of three what `evaluate` gave",
        ),
        (
            lambda evaluate, w: (evaluate(w), w[:1], []),
            "must return a list with a tensor for each weight",
        ),
        (lambda evaluate, w: (evaluate(w), w, w), "must return what to remember"),
    ],
)
def test_a_wrong_method(result, message):
    model = classify(keras_sam.SAMModel(*small(), method=step_of(result)))
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"`Wrong.*{message}.*Received"):
        model.fit(*rows(), batch_size=8, verbose=0)
    assert_identical(model.get_weights(), before)


@pytest.mark.parametrize(
    "settings",
    [
        {"ascent": ascents.Adaptive()},
        {"descent": descents.GSAM()},
        {"schedule": schedules.Every(2)},
        {"second_order": True},
    ],
)
def test_it_is_alone(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"takes the place of `{name}`.*Received"):
        keras_sam.SAMModel(*small(), method=methods.Paper(), **settings)
    model = keras_sam.SAMModel(*small(), method=methods.Paper())
    with pytest.raises(ValueError, match=f"takes the place of `{name}`"):
        setattr(model, name, settings[name])
    assert model.method is not None
    with pytest.raises(ValueError, match="`method` must be one of"):
        keras_sam.SAMModel(*small(), method="paper")


class Asks(keras.layers.Layer):
    """Says in which of the passes it was called."""

    def __init__(self):
        super().__init__()
        self.answers = []

    def call(self, x):
        self.answers.append(keras_sam.in_ascent_pass())
        return x


def test_a_layer_sees_the_ascent_pass():
    asks = Asks()
    inputs, outputs = small()
    model = keras_sam.SAMModel(inputs, asks(outputs), method=methods.Paper())
    classify(model, run_eagerly=True)
    asks.answers.clear()
    model.train_on_batch(*rows(8))
    assert asks.answers.count(True) and asks.answers[-1] is False


def test_what_a_method_is_told():
    told = []

    class Told(keras_sam.methods.Method):
        def __call__(self, evaluate, weights, memory, now):
            told.append([float(now.rho), float(now.learning_rate), *map(int, now.time)])
            clean = evaluate(weights)
            return clean, clean.gradients, memory

    model = keras_sam.SAMModel(*small(), rho=0.25, method=Told())
    classify(model, keras.optimizers.SGD(0.5), run_eagerly=True)
    model.fit(*rows(16), batch_size=8, epochs=2, verbose=0)
    assert told == [[0.25, 0.5, i, i // 2] for i in range(4)]


def test_no_sharpness_is_shown():
    model = classify(keras_sam.SAMModel(*small(), method=methods.Paper()))
    assert "sharpness" not in model.fit(*rows(), verbose=0).history
    assert "method=Paper()" in repr(model)

"""At the end of an epoch: the current rho in the logs, and warnings to act on."""

import warnings

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.helpers import long_on
from tests.models import classify, rows, small

pytestmark = long_on("jax")


def fit(model, *callbacks, epochs=3, **kwargs):
    fit = {"batch_size": 8, "epochs": epochs, "verbose": 0, "callbacks": list(callbacks)}
    return model.fit(*rows(), **fit | kwargs).history


def make(rate=0.1, **settings):
    optimizer = keras.optimizers.SGD(rate)
    return classify(keras_sam.SAMModel(*small(), **settings), optimizer)


def test_a_number_is_not_in_the_logs():
    model = make()
    model.rho = 0.1
    assert "rho" not in fit(model)


def test_a_schedule_is():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.09, 9, 0.0)
    history = fit(make(rho=schedule))
    np.testing.assert_allclose(history["rho"], [0.06, 0.03, 0.0], atol=1e-7)


def test_one_that_follows_the_learning_rate_is():
    decay = keras.optimizers.schedules.PolynomialDecay(0.4, 8, 0.0)
    rho = schedules.RhoByLearningRate(0.0, 0.1, lr_max=0.4)
    history = fit(make(decay, rho=rho), epochs=2)
    np.testing.assert_allclose(history["rho"], [0.0625, 0.025], atol=1e-7)


class Sets(keras.callbacks.Callback):
    def __init__(self, first=0):
        super().__init__()
        self.first = first

    def on_epoch_begin(self, epoch, logs=None):
        if epoch >= self.first:
            self.model.rho = 0.1 * (1 + epoch)


@pytest.mark.parametrize("first, expected", [(0, [0.1, 0.2, 0.3]), (2, [0.05, 0.05, 0.3])])
def test_one_that_a_callback_sets_is(first, expected, tmp_path):
    path = tmp_path / "log.csv"
    history = fit(make(), Sets(first), keras.callbacks.CSVLogger(path))
    np.testing.assert_allclose(history["rho"], expected, rtol=1e-6)
    assert len(history["loss"]) == 3
    if first == 0:
        header, *lines = path.read_text().split()
        at = header.split(",").index("rho")
        shown = [float(line.split(",")[at]) for line in lines]
        np.testing.assert_allclose(shown, expected, rtol=1e-6)


def test_a_rho_that_is_too_large():
    model = make(rho=500.0)
    with pytest.warns(UserWarning, match=r"rho=500 is so large.*Set a smaller `model.rho`"):
        fit(model)


@pytest.mark.parametrize("rho, large", [(0.05, False), (5.0, True)])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_5_for_005(rho, large, optimizer):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 256)
    x = rng.normal(size=(10, 64))[y] + rng.normal(size=(256, 64))
    inputs = keras.Input((64,))
    hidden = keras.layers.Dense(64, activation="relu")(inputs)
    outputs = keras.layers.Dense(10)(hidden)
    model = classify(keras_sam.SAMModel(inputs, outputs, rho=rho), optimizer)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, epochs=5, verbose=0)
    assert any("is so large" in str(w.message) for w in caught) is large


@pytest.mark.parametrize("rho", [500.0, 1e-7])
def test_once(rho):
    """Of a model, whatever is trained afterwards."""
    model = make(rho=rho)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            fit(model, epochs=2)
    assert len([w for w in caught if f"rho={rho:.3g} is so " in str(w.message)]) == 1


@pytest.mark.parametrize("m", [None, 3])
def test_a_rho_that_is_too_small(m):
    model = make(rho=1e-7, m=m)
    with pytest.warns(UserWarning, match="rho=1e-07 is so small.*Set a larger `model.rho`"):
        fit(model, epochs=1)


def untrained(**settings):
    """A model whose loss does not depend on its weights."""
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(3)(inputs) * 0.0
    return classify(keras_sam.SAMModel(inputs, outputs, **settings))


@pytest.mark.filterwarnings("error:The loss at the perturbed weights")
@pytest.mark.parametrize(
    "settings",
    [
        {"rho": 0.0},
        {"rho": 1e-3},
        {"schedule": schedules.Between(9)},
        {"ascent": ascents.LastStep(), "descent": descents.GSAM(0.1)},
    ],
)
def test_no_rho_that_is_too_small(settings):
    """Where no step climbs, or the first has no gradient before it, nothing is wrong."""
    fit(make(**settings), epochs=1, batch_size=len(rows()[0]))


def test_a_gradient_of_zero():
    with pytest.warns(UserWarning, match="Or the gradient is zero"):
        fit(untrained(), epochs=1)


def valley(rate, rho=0.5, optimizer=keras.optimizers.SGD, curvature=True):
    """A model of L(w) = 2 w^2 from w = 1, where the Hessian is 4, and what trains it."""
    inputs = keras.Input((1,))
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras_sam.SAMModel(inputs, layer(inputs), rho=rho, curvature=curvature)
    model.compile(optimizer(rate), "mse")
    x = np.full((32, 1), 2**0.5, "float32")
    return lambda epochs, steps: model.fit(
        x, 0 * x, batch_size=32 // steps, epochs=epochs, verbose=0
    )


@pytest.mark.parametrize("rate, epochs, steps", [(0.45, 8, 1), (100.0, 1, 32)])
def test_a_learning_rate_above_the_edge(rate, epochs, steps):
    """Plain training may have nearly 0.5. Or one that diverges in the first epoch."""
    train = valley(rate)
    with pytest.warns(UserWarning, match="above the edge of.*Set a smaller learning rate"):
        train(epochs, steps)


@pytest.mark.filterwarnings("error:The training loss")
@pytest.mark.parametrize(
    "settings",
    [
        {"rho": 0.05},  # The edge is lower only near the minimum.
        {"curvature": False},
        {"optimizer": keras.optimizers.Adam},
    ],
)
def test_no_learning_rate_above_the_edge(settings):
    valley(0.45, **settings)(8, 1)


@pytest.mark.filterwarnings("error:The loss at the perturbed weights")
@pytest.mark.parametrize("rho", [0.05, 0.5])
def test_the_papers_radii_are_none_too_large(rho):
    """To the end, where the loss is near 0 and its rise many times that."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 16)).astype("float32"), rng.integers(0, 2, 32)
    inputs = keras.Input((16,))
    hidden = keras.layers.Dense(64, activation="relu")(inputs)
    outputs = keras.layers.Dense(2)(hidden)
    model = keras_sam.SAMModel(inputs, outputs, rho=rho)
    classify(model, keras.optimizers.Adam(0.01))
    history = model.fit(x, y, batch_size=4, epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.2 * history["loss"][0]

"""Sharpness, by closed forms and by the ascents of training."""

import numpy as np
import pytest

from keras_sam import analysis, ascents
from tests import dense


@pytest.fixture(autouse=True)
def _double(float64):
    """Errors are then of the method, and not of rounding."""


def loss(w, x, y):
    return ((x @ w - y) ** 2).mean()


def gradient(w, x, y):
    return 2 * x.T @ (x @ w - y) / y.size


@pytest.mark.parametrize("p", [1, 2, float("inf")])
def test_one_step_in_a_ball(p):
    model, x, y, w = dense.quadratic()
    g = gradient(w, x, y)
    eps = {
        1: 0.1 * np.sign(g) * (np.abs(g) == np.abs(g).max()),
        2: 0.1 * g / np.linalg.norm(g),
        float("inf"): 0.1 * np.sign(g),
    }[p]
    found = analysis.sharpness(model, x, y, rho=0.1, p=p, batch_size=8)
    assert abs(found.worst - (loss(w + eps, x, y) - loss(w, x, y))) < 1e-12
    assert abs(found.loss - loss(w, x, y)) < 1e-12
    assert (found.gradients, found.examples) == (1, 21)


def test_groups():
    """Each m examples have their own perturbation, and the last few count as they are."""
    model, x, y, w = dense.quadratic()
    rises, sizes = [], []
    for i in range(0, 21, 8):
        part = x[i : i + 8], y[i : i + 8]
        g = gradient(w, *part)
        rises.append(loss(w + 0.1 * g / np.linalg.norm(g), *part) - loss(w, *part))
        sizes.append(len(part[0]))
    found = analysis.sharpness(model, x, y, rho=0.1, m=8)
    assert abs(found.worst - np.average(rises, weights=sizes)) < 1e-12


def test_several_steps_climb_higher():
    model, x, y, w = dense.quadratic()
    eps = 0 * w
    for _ in range(3):
        g = gradient(w + eps, x, y)
        eps = eps + 0.5 * g / np.linalg.norm(g)
        eps *= min(1, 0.5 / np.linalg.norm(eps))
    found = analysis.sharpness(model, x, y, rho=0.5, steps=3)
    assert abs(found.worst - (loss(w + eps, x, y) - loss(w, x, y))) < 1e-12
    assert found.worst >= analysis.sharpness(model, x, y, rho=0.5).worst


@pytest.mark.parametrize(
    "make", [lambda: ascents.Adaptive(), lambda: ascents.Preconditioned()]
)
def test_a_metric_is_that_of_training(make):
    """As the first step of training shows it, where the ascent begins to remember."""
    import keras_sam

    model, x, y, _ = dense.quadratic()
    metric = make()
    found = analysis.sharpness(model, x, y, rho=0.3, metric=metric)
    trained = keras_sam.SAMModel.from_model(model, rho=0.3, ascent=make())
    trained.compile("sgd", "mse")
    logs = trained.train_on_batch(x, y, return_dict=True)
    assert abs(found.worst - logs["sharpness"]) < 1e-9


@pytest.mark.parametrize("p", [2, float("inf")])
def test_several_steps_in_a_metric(p):
    """By hand: each step is ASAM's, with T of w, and goes back to ||eps / T||_p <= rho."""
    model, x, y, w = dense.quadratic()
    w = np.linspace(-1, 1.1, w.size).reshape(w.shape)
    model.set_weights([w])
    # Inputs are correlated, and the loss is near its least, so that gradients turn around.
    x = x + 2 * x[:, :1]
    y = x @ w + 0.1 * y
    t, eps, rho = np.abs(w) + 0.01, 0 * w, 0.5
    for _ in range(3):
        g = t * gradient(w + eps, x, y)
        eps = eps + rho * t * (np.sign(g) if p > 2 else g / np.linalg.norm(g))
        u = eps / t
        inside = np.clip(u, -rho, rho) if p > 2 else u * min(1, rho / np.linalg.norm(u))
        eps = t * inside
    adaptive = ascents.Adaptive(p=p)
    found = analysis.sharpness(model, x, y, rho=rho, steps=3, metric=adaptive)
    assert abs(found.worst - (loss(w + eps, x, y) - loss(w, x, y))) < 1e-12
    assert found.gradients == 3
    one = analysis.sharpness(model, x, y, rho=rho, metric=adaptive)
    assert found.worst > 1.1 * one.worst


def test_a_weight_whose_unit_is_zero_stays():
    class Nothing(ascents.Metric):
        def scale(self, weights, memory):
            return [0.0 for _ in weights]

    model, x, y, _ = dense.quadratic()
    found = analysis.sharpness(model, x, y, rho=0.5, steps=2, metric=Nothing())
    assert (found.worst, found.random) == (0, 0)


@pytest.mark.parametrize("m", [None, 8])
def test_the_error_over_batches(m):
    """Of batches of 8, the last with fewer."""
    model, x, y, w = dense.quadratic()
    parts = [slice(i, i + 8) for i in range(0, len(x), 8)]
    rises, whole = [], gradient(w, x, y)
    for part in parts:
        g = gradient(w, x[part], y[part]) if m else whole
        there = w + 0.1 * g / np.linalg.norm(g)
        rises.append(loss(there, x[part], y[part]) - loss(w, x[part], y[part]))
    assert len(x) % 8
    found = analysis.sharpness(model, x, y, rho=0.1, m=m, batch_size=8)
    error = np.std(rises, ddof=1) / len(rises) ** 0.5
    assert abs(found.worst_error - error) < 1e-12
    one = analysis.sharpness(model, x, y, rho=0.1, batch_size=len(x))
    assert np.isnan(one.worst_error)


def test_the_error_is_drawn():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    model, x, y, _ = dense.quadratic()
    for batch_size in (8, 21):
        found = analysis.sharpness(model, x, y, rho=0.1, batch_size=batch_size)
        axes = found.plot()
        _, _, (lines,) = axes.containers[0]
        (_, low), (_, high) = lines.get_segments()[0]
        drawn = 0 if batch_size == 21 else found.worst_error
        assert abs(high - low - 2 * drawn) < 1e-12
        matplotlib.pyplot.close(axes.figure)


def test_random_perturbations_have_the_mean_of_the_trace():
    """E[z' H z] rho^2 / (2 n) = rho^2 trace(H) / (2 n) for z of variance 1."""
    model, x, y, w = dense.quadratic()
    trace = 2 * np.trace(x.T @ x) / len(x) * 2 / 2
    expected = 0.25 * trace / (2 * w.size)
    found = analysis.sharpness(model, x, y, rho=0.5, draws=400)
    assert abs(found.average - expected) < 3 * found.average_error
    assert abs(found.random - expected) < 3 * found.random_error
    assert found.worst > found.average


@pytest.mark.parametrize("measure", [analysis.sharpness, analysis.pac_bayes_sigma])
def test_a_progress_bar(measure, capsys):
    model, x, y, _ = dense.quadratic()
    measure(model, x, y, draws=2, verbose=0)
    assert not capsys.readouterr().out
    measure(model, x, y, draws=2)
    # A batch, and two draws of each kind.
    printed = capsys.readouterr().out
    assert "/evaluation" in printed
    assert measure is not analysis.sharpness or " 5/Unknown" in printed


def test_a_radius_of_zero():
    model, x, y, _ = dense.quadratic()
    found = analysis.sharpness(model, x, y, rho=0)
    assert found.worst == found.average == found.random == 0


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"rho": -1}, "`rho` must be"),
        ({"m": 0}, "`m` must be"),
        ({"p": 0.5}, "`p` must be"),
        ({"metric": ascents.LpBall()}, "`metric` must be a `keras_sam.ascents.Metric`"),
        ({"metric": ascents.Adaptive(), "p": 1}, "has a `p` of its own"),
        ({"variables": "nothing"}, "selects none"),
    ],
)
def test_bad_values(settings, message):
    model, x, y, _ = dense.quadratic()
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        analysis.sharpness(model, x, y, **settings)


def test_a_loss_that_is_not_finite():
    model, x, y, _ = dense.quadratic()
    with pytest.raises(ValueError, match=r"must be finite.*Received: a loss of (nan|inf)"):
        analysis.sharpness(model, x * np.nan, y)

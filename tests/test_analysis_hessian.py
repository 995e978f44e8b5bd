"""Eigenvalues, trace and density of Hessians that are known."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sam import analysis
from tests import dense
from tests.helpers import array


@pytest.fixture(autouse=True)
def _double(float64):
    """Errors are then of the method, and not of rounding."""


def linear(units=1, loss="mse"):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(units, use_bias=False)])
    model.compile("sgd", loss)
    return model


def test_linear_regression():
    x, y, weight = dense.data()
    expected = 2 * (x * weight[:, None]).T @ x / 21
    values = np.linalg.eigvalsh(expected)[::-1]
    found = analysis.hessian_eigenvalues(linear(), x, y[:, :1], weight, k=3)
    np.testing.assert_allclose(found.values, values[:3], rtol=1e-3)
    assert (np.abs(found.values - values[:3]) <= found.residuals + 1e-9).all()
    h = dense.hessian(linear(), x, y[:, :1], weight)
    np.testing.assert_allclose(h, expected, atol=1e-12)
    for value, (vector,) in zip(found.values, found.vectors):
        np.testing.assert_allclose(expected @ vector, value * vector, atol=1e-2)


def test_logistic_regression():
    x, y, _ = dense.data()
    model = linear(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    p = 1 / (1 + np.exp(-x @ array(model.weights[0])))
    expected = (x * p * (1 - p)).T @ x / 21
    h = dense.hessian(model, x, (y[:, :1] > 0).astype("float64"))
    np.testing.assert_allclose(h, expected, rtol=1e-6, atol=1e-9)


def test_softmax_regression():
    x, _, _ = dense.data()
    labels = np.arange(21) % 3
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = linear(3, loss)
    p = np.exp(x @ array(model.weights[0]))
    p /= p.sum(1, keepdims=True)
    blocks = np.einsum("ni,nij->nij", p, np.eye(3)[None] - p[:, None, :])
    expected = np.einsum("na,nij,nb->aibj", x, blocks, x).reshape(12, 12) / 21
    h = dense.hessian(model, x, labels)
    np.testing.assert_allclose(h, expected, rtol=1e-6, atol=1e-9)


def full():
    x, y, weight = dense.data()
    model = dense.mlp()
    h = dense.hessian(model, x, y, weight)
    return model, (x, y, weight), np.linalg.eigvalsh(h)[::-1], h


@pytest.mark.parametrize(
    "which, chosen",
    [("largest", [0, 1, 2, 3]), ("smallest", [-4, -3, -2, -1]), ("both", [0, 1, -2, -1])],
)
def test_both_ends(which, chosen):
    model, data, values, _ = full()
    found = analysis.hessian_eigenvalues(model, *data, k=4, which=which)
    np.testing.assert_allclose(found.values, values[chosen], rtol=1e-3, atol=1e-6)
    assert (found.residuals < 1e-2 * abs(values[0])).all()
    assert found.examples == 21 and found.products >= 4 and "reverse" in found.how


def test_a_block_of_the_hessian():
    model, data, _, h = full()
    found = analysis.hessian_eigenvalues(model, *data, k=2, variables=r"dense.*/kernel")
    kernels = [i for i, v in enumerate(model.trainable_variables) if "kernel" in v.path]
    sizes = [int(np.prod(v.shape)) for v in model.trainable_variables]
    ends = np.cumsum(sizes)
    rows = np.concatenate([np.arange(ends[i] - sizes[i], ends[i]) for i in kernels])
    expected = np.linalg.eigvalsh(h[np.ix_(rows, rows)])[::-1][:2]
    np.testing.assert_allclose(found.values, expected, rtol=1e-3)
    assert found.variables == [model.trainable_variables[i].path for i in kernels]
    shapes = [v.shape for v in found.vectors[0]]
    assert shapes == [tuple(model.trainable_variables[i].shape) for i in kernels]


def test_the_trace_within_three_standard_errors():
    model, data, values, _ = full()
    for seed in range(2):
        found = analysis.hessian_trace(model, *data, error=0.05, draws=100, seed=seed)
        assert abs(found.value - values.sum()) < 3 * found.error
        assert found.error <= 0.05 * abs(found.value) or len(found.draws) == 100
        assert found.products == len(found.draws)


def test_the_trace_of_a_diagonal_is_exact_and_stops_early():
    x = np.eye(4)
    found = analysis.hessian_trace(linear(), x, np.ones((4, 1)))
    assert abs(found.value - 2) < 1e-12 and len(found.draws) == 5


def test_the_density_of_all_steps_is_the_spectrum():
    """With as many steps as weights, nodes are the eigenvalues; the weights sum to 1."""
    model, data, values, _ = full()
    found = analysis.hessian_density(model, *data, steps=29, draws=12)
    np.testing.assert_allclose(found.moments(0), 1)
    for nodes in found.nodes:
        np.testing.assert_allclose(nodes.max(), values[0], rtol=1e-6)
        np.testing.assert_allclose(nodes.min(), values[-1], rtol=1e-6, atol=1e-9)
    for power in (1, 2):
        each = found.moments(power)
        error = each.std(ddof=1) / len(each) ** 0.5
        assert abs(each.mean() - (values**power).mean()) < 3 * error
    width = 0.05
    grid = np.linspace(values[-1] - 1, values[0] + 1, 4000)
    integral = found.at(grid, width).sum(1) * (grid[1] - grid[0])
    np.testing.assert_allclose(integral, 1, rtol=1e-6)


def test_few_steps_have_the_first_moments():
    """2 steps: the moments of a draw up to the third are those of all steps."""
    model, data, _, _ = full()
    few, all_ = (
        analysis.hessian_density(model, *data, steps=n, draws=3, seed=1) for n in (2, 29)
    )
    for power in range(4):
        np.testing.assert_allclose(few.moments(power), all_.moments(power), rtol=1e-6)


def test_seeds():
    model, data, _, _ = full()
    first, same, other = (
        analysis.hessian_trace(model, *data, draws=3, seed=seed).value for seed in (0, 0, 1)
    )
    assert first == same != other


def test_a_weight_that_the_loss_does_not_use():
    inputs = keras.Input((4,))
    unused = layers.Dense(3, name="unused")
    h = layers.Dense(2)(inputs)
    model = keras.Model(inputs, [h, unused(inputs)])
    model.compile("sgd", loss=["mse", None])
    x, y, _ = dense.data()
    h = dense.hessian(model, x, y)
    assert np.isfinite(h).all()
    paths = [v.path for v in model.trainable_variables]
    rows = np.repeat(
        ["unused" in p for p in paths],
        [int(np.prod(v.shape)) for v in model.trainable_variables],
    )
    assert not h[rows].any() and h[~rows].any()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, d: analysis.hessian_eigenvalues(m, *d, k=29), "`k` must be below"),
        (lambda m, d: analysis.hessian_eigenvalues(m, *d, k=0), "`k` must be"),
        (lambda m, d: analysis.hessian_eigenvalues(m, *d, which="top"), "`which` must be"),
        (lambda m, d: analysis.hessian_density(m, *d, steps=30), "`steps` must be at most"),
        (lambda m, d: analysis.hessian_trace(m, *d, draws=0), "`draws` must be"),
        (lambda m, d: analysis.hessian_trace(m, *d, variables="none"), "selects none"),
    ],
)
def test_bad_values(call, message):
    x, y, weight = dense.data()
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        call(dense.mlp(), (x, y, weight))


def test_pictures():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    model, data, _, _ = full()
    for found in (
        analysis.hessian_eigenvalues(model, *data, k=2),
        analysis.hessian_trace(model, *data, draws=5),
        analysis.hessian_density(model, *data, steps=5),
        analysis.loss_landscape(model, *data, directions=1, points=3),
        analysis.loss_landscape(model, *data, points=3),
        analysis.sharpness(model, *data),
    ):
        axes = found.plot()
        assert axes.get_ylabel()
        matplotlib.pyplot.close(axes.figure)

"""The largest noise, and the report of several models."""

import numpy as np
import pytest

from keras_sam import analysis
from tests import dense


def test_noise_by_the_trace_of_a_quadratic(float64):
    """Its mean rise is sigma^2 trace(H) / 2, up to the draws."""
    import keras

    x, y, _ = dense.data()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, use_bias=False)])
    model.compile("sgd", "mse")
    found = analysis.pac_bayes_sigma(model, x, y, draws=200, tolerance=0.001)
    trace = 2 * np.trace(x.T @ x) / len(x)
    expected = (2 * 0.1 / trace) ** 0.5
    assert abs(found.sigma / expected - 1) < 3 * found.error / 0.1
    assert found.rise <= 0.1 and abs(found.rise - 0.1) < 1e-3
    above = found.tried[found.tried[:, 0] > found.sigma]
    assert (above[:, 1] > 0.1).all()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"rise": 0}, "must be above 0"),
        ({"draws": 0}, "`draws` must be"),
        ({"rise": 1e30}, "No noise raises"),
    ],
)
def test_bad_values(settings, message):
    x, y, weight = dense.data()
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        analysis.pac_bayes_sigma(dense.mlp(), x, y, weight, **settings)


def test_models_side_by_side(capsys):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    x, y, _ = dense.data()
    models = {"first": dense.mlp(), "second": dense.mlp()}
    found = analysis.report(models, x, y, rho=0.1, batch_size=8)
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith(str(found)) and "product" in printed
    lines = str(found).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| first", "| second"]
    for name, model in models.items():
        alone = analysis.sharpness(model, x, y, rho=0.1, batch_size=8)
        assert found.sharpness[name] == alone
        assert f"| {alone.worst:.4g} ± {alone.worst_error:.1g} |" in str(found)
    figure = found.plot()
    for axes in figure.axes[1:]:
        assert [t.get_text() for t in axes.get_legend().get_texts()] == list(models)
    matplotlib.pyplot.close(figure)


def test_one_model(capsys):
    x, y, _ = dense.data()
    found = analysis.report(dense.mlp(), x, y, verbose=0)
    assert not capsys.readouterr().out and len(str(found).splitlines()) == 3
    # It is of a single batch, whose rise has no error.
    (rise,) = found.sharpness.values()
    assert np.isnan(rise.worst_error)
    assert f"| {rise.worst:.4g} |" in str(found) and "nan" not in str(found)

"""`forecasting.py`: its network, its runs and what it makes of them."""

import keras
import numpy as np
import pytest
from forecasting_data import linear_task
from forecasting_model import ChannelAttention, build_network
from forecasting_report import summarize, tuning_table
from forecasting_runs import Setting, best, make, train

import keras_sam


def noisy(noise, seed=0):
    return linear_task(6, 3, 2, [40, 20, 500], seed, noise=noise)


def test_attention_by_hand():
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")
    layer = ChannelAttention(width=2)
    layer.build(x.shape)
    rng = np.random.default_rng(1)
    for variable in layer.weights:
        variable.assign(rng.normal(size=variable.shape))
    maps = layer.query, layer.key, layer.value, layer.projection
    kernels = [keras.ops.convert_to_numpy(m.kernel) for m in maps]
    biases = [keras.ops.convert_to_numpy(m.bias) for m in maps]
    expected = np.empty_like(x)
    for n, window in enumerate(x):
        q, k, v = (window @ kernels[i] + biases[i] for i in range(3))
        for channel in range(4):
            weights = np.exp([q[channel] @ k[other] / np.sqrt(2) for other in range(4)])
            mixed = sum(w * v[other] for other, w in enumerate(weights / weights.sum()))
            expected[n, channel] = mixed @ kernels[3] + biases[3]
    result = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_attention_is_saved(tmp_path):
    model = keras.Model(*build_network(2, 6, 3, frozen=True, normalized=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = noisy(1.0).test[0]
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    assert len(loaded.trainable_variables) == len(model.trainable_variables) == 6


@pytest.mark.parametrize("normalized", [False, True])
def test_without_attention_the_network_is_linear(normalized):
    model = keras.Model(*build_network(2, 6, 3, normalized=normalized))
    attention = next(x for x in model.layers if isinstance(x, ChannelAttention))
    attention.projection.kernel.assign(np.zeros((16, 6)))
    x = 5 + 3 * noisy(1.0).test[0]
    dense = next(x for x in model.layers if isinstance(x, keras.layers.Dense))
    w = keras.ops.convert_to_numpy(dense.kernel)
    mean = x.mean(-1, keepdims=True) if normalized else 0
    expected = (x - mean) @ w + mean
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-3, atol=1e-3)


def test_frozen_attention_keeps_queries_and_keys():
    splits = noisy(1.0)
    model = make(Setting("frozen", None, 0.01), splits, steps=10)
    before = [keras.ops.convert_to_numpy(v) for v in model.variables]
    names = [v.path for v in model.variables]
    model.fit(*splits.train, batch_size=8, verbose=0)
    kept = []
    for variable, old, name in zip(model.weights, before, names):
        if np.array_equal(keras.ops.convert_to_numpy(variable), old):
            kept.append("/".join(name.split("/")[-2:]))
    assert sorted(kept) == ["key/bias", "key/kernel", "query/bias", "query/kernel"]


@pytest.mark.parametrize("method", ["plain", "SAM"])
def test_other_methods_train_all_weights(method):
    model = make(Setting(method, 0.5, 0.01), noisy(1.0), steps=10)
    assert len(model.trainable_variables) == 10
    assert isinstance(model, keras_sam.SAMModel) == (method == "SAM")
    if method == "SAM":
        assert float(model.rho) == 0.5


def test_the_learning_rate_falls_to_zero():
    optimizer = make(Setting("plain", None, 0.01), noisy(1.0), steps=10).optimizer
    rates = []
    for step in (0, 5, 10):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(rates, [0.01, 0.005, 0], atol=1e-8)


def test_errors_are_those_of_each_epoch():
    splits = noisy(1.0)
    setting = Setting("SAM", 0.1, 0.01)
    run = train(setting, 3, splits, epochs=2, batch_size=8)
    assert run["method"] == "SAM" and run["rho"] == 0.1 and run["seed"] == 3
    keras.utils.set_random_seed(3)
    model = make(setting, splits, steps=10)
    for epoch in range(2):
        kwargs = {"initial_epoch": epoch, "epochs": epoch + 1, "batch_size": 8}
        loss = model.fit(*splits.train, verbose=0, **kwargs).history["loss"][0]
        assert run["loss"][epoch] == pytest.approx(loss, rel=1e-3)
        for part in ("validation", "test"):
            error = model.evaluate(*getattr(splits, part), verbose=0)
            assert run[part][epoch] == pytest.approx(error, rel=1e-3)


def one(setting, validation, test=(1.0, 1.0)):
    errors = {"validation": validation, "test": list(test)}
    linear = {"validation": 0.25, "test": 0.5}
    return {**setting._asdict(), **errors, "least_squares": linear}


def test_the_best_setting_has_the_lowest_validation_error():
    slow, fast, wild = (Setting("plain", None, rate) for rate in (0.1, 0.2, 0.3))
    runs = [one(slow, [4.0, 3.0]), one(fast, [2.0, 5.0]), one(wild, [1.0, np.nan])]
    runs += [one(slow, [4.0, 3.0]), one(fast, [3.5, 5.0]), one(wild, [1.0, 1.0])]
    runs += [one(Setting("SAM", 0.1, 0.1), [0.0, 0.0])]
    assert best([slow, fast, wild], runs) == fast
    assert best([slow, wild], runs) == slow
    assert best([slow], []) == slow


def test_the_table_of_learning_rates_by_hand():
    slow, fast = (Setting("SAM", 0.5, rate) for rate in (0.1, 0.2))
    runs = [one(slow, [4.0, 3.0]), one(slow, [2.0, 5.0]), one(fast, [1.0, 1.5])]
    assert tuning_table({"tuning": runs}) == {("SAM", 0.5): {0.1: 2.25, 0.2: 0.75}}


def test_the_summary_by_hand():
    plain, sam = Setting("plain", None, 0.1), Setting("SAM", 0.5, 0.1)
    runs = [one(plain, [1.0, 2.0], (1.5, 2.5)), one(plain, [2.0, 1.0], (9.0, 2.5))]
    runs += [one(sam, [2.0, 1.0], (9.0, 1.0)), one(sam, [2.0, 1.0], (9.0, 1.0))]
    rows = summarize({"test": runs})
    half = 12.7062 * 0.5  # Student's t with one degree of freedom; the error is 1 / 2
    assert rows[plain].best == pytest.approx((1.5, half), rel=1e-4)
    assert rows[plain].last == pytest.approx((2.0, 0.0))
    assert rows[plain].gain is None
    assert rows[sam].best == pytest.approx((0.5, 0.0))
    assert rows[sam].gain == pytest.approx((1.0, half), rel=1e-4)

"""The data of `forecasting.py`: the linear task, least squares, the ETT files."""

import numpy as np
import pytest
from forecasting_data import (
    Splits,
    ett_task,
    least_squares,
    linear_errors,
    linear_task,
    read_ett,
)

from tests.reproduce.ett_files import HOURS, ett_file


def noisy(noise, seed=0):
    return linear_task(6, 3, 2, [40, 20, 500], seed, noise=noise)


def test_least_squares_finds_the_map():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(9, 2, 4)), rng.normal(size=(4, 3))
    np.testing.assert_allclose(least_squares(x, x @ w), w, atol=1e-12)


def test_least_squares_solves_the_normal_equations():
    x, y = noisy(1.0).train
    x, y = (array.reshape(-1, array.shape[-1]).astype("float64") for array in (x, y))
    by_hand = np.linalg.solve(x.T @ x, x.T @ y)
    np.testing.assert_allclose(least_squares(*noisy(1.0).train), by_hand, rtol=1e-9)


def test_without_noise_least_squares_makes_no_error():
    errors = linear_errors(noisy(0.0))
    assert errors["validation"] < 1e-10 and errors["test"] < 1e-10


def test_the_noise_is_that_of_the_formula():
    """Least squares makes the noise's error, and that of 6 weights from 80 rows."""
    errors = [linear_errors(noisy(2.0, seed))["test"] for seed in range(20)]
    assert np.mean(errors) == pytest.approx(4 * (1 + 6 / (80 - 6 - 1)), rel=0.05)


def test_the_scale_is_that_of_the_target():
    (x, y), (x_half, y_half) = (
        linear_task(6, 3, 2, [5, 5, 5], 0, scale=scale).test for scale in (1.0, 0.5)
    )
    np.testing.assert_array_equal(x_half, x)
    np.testing.assert_allclose(y_half, y / 2, rtol=1e-6)


def test_the_parts_of_a_task_have_one_map():
    x, y = zip(*noisy(0.0))
    w = least_squares(x[0], y[0])
    np.testing.assert_allclose(x[2] @ w, y[2], atol=1e-5)
    assert [len(part) for part in x] == [40, 20, 500]
    assert np.std(x[2]) == pytest.approx(1, abs=0.05)
    assert np.std(w) == pytest.approx(1, abs=0.4)


def test_a_seed_gives_a_task_of_its_own():
    first, again, other = noisy(1.0), noisy(1.0), noisy(1.0, seed=1)
    np.testing.assert_array_equal(first.train[1], again.train[1])
    assert np.abs(first.train[1] - other.train[1]).mean() > 0.1


def test_the_errors_by_hand():
    splits = noisy(1.0)
    w = least_squares(*splits.train)
    errors = linear_errors(splits)
    for part, (x, y) in zip(("validation", "test"), splits[1:]):
        by_hand = np.mean([(xi @ w - yi) ** 2 for xi, yi in zip(x, y)])
        assert errors[part] == pytest.approx(by_hand, rel=1e-6)


def test_centered_least_squares_carries_a_level_over():
    """It does so for a level that no training window has, as the normalization would."""
    w = np.random.default_rng(0).normal(size=(6, 3))

    def part(windows, level):
        x, _ = windows
        x = x - x.mean(-1, keepdims=True)
        return x + level, x @ w + level

    splits = Splits(*(part(x, level) for x, level in zip(noisy(1.0), (0, 50, 100))))
    assert linear_errors(splits, centered=True)["test"] < 1e-6
    assert linear_errors(splits)["test"] > 100


def test_ett_file(tmp_path):
    values = read_ett(ett_file(tmp_path / "ETTh1.csv", hours=HOURS + 5))
    assert values.shape == (HOURS + 5, 7)
    np.testing.assert_array_equal(values[3], np.arange(3, 10))
    splits = ett_task(values, steps=24, horizon=8)
    # 12, 4 and 4 months of 720 hours; only the training windows have no past before them.
    assert [len(x) for x, _ in splits] == [8640 - 31, 2880 - 7, 2880 - 7]
    assert splits.train[0].shape[1:] == (7, 24) and splits.train[1].shape[1:] == (7, 8)
    known = values[:8640]
    scaled = (values - known.mean(0)) / known.std(0)
    np.testing.assert_allclose(splits.train[0][5, 2], scaled[5:29, 2], rtol=1e-5)
    np.testing.assert_allclose(splits.train[1][5, 2], scaled[29:37, 2], rtol=1e-5)
    for part, first, last in ((1, 8640, 11520), (2, 11520, 14400)):
        x, y = splits[part]
        np.testing.assert_allclose(x[0, 1], scaled[first - 24 : first, 1], rtol=1e-5)
        np.testing.assert_allclose(y[0, 1], scaled[first : first + 8, 1], rtol=1e-5)
        np.testing.assert_allclose(y[-1, 1], scaled[last - 8 : last, 1], rtol=1e-5)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def wrong_files(folder):
    """Files that are not of the form, and what their errors say."""
    path = folder / "wrong.csv"
    path.write_text("")
    yield path, "a column `date` and seven columns"
    yield ett_file(path, 2, columns=6), "a column `date` and seven columns"
    yield ett_file(path, HOURS - 1), f"{HOURS} lines. Received: {HOURS - 1} lines"
    yield ett_file(path, minutes=15), "one line an hour"
    yield edit(ett_file(path), "2016-07-01 00:00:00", "first"), "one line an hour"
    yield edit(ett_file(path), "00,0,1,2,", "00,0,,2,"), "Line 2 of the file"
    yield edit(ett_file(path), "00,1,2,3,", "00,1,nan,3,"), "Line 3 of the file"
    yield edit(ett_file(path), "00,1,2,3,", "00,2,3,"), "Line 3 of the file"


def test_a_wrong_file(tmp_path):
    for path, message in wrong_files(tmp_path):
        with pytest.raises(ValueError, match=message):
            read_ett(path)

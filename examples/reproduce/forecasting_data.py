"""Windows to forecast from: SAMformer's linear task, and the ETT files.

All arrays have the shape `(windows, channels, time)`. An input holds the past of each
channel, its target the future.
"""

import csv
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

MONTH = 30 * 24  # rows of an hourly file


class Splits(NamedTuple):
    """Three pairs of inputs and targets."""

    train: tuple
    validation: tuple
    test: tuple


def linear_task(steps, horizon, channels, windows, seed, scale=1.0, noise=1.0):
    """Windows whose future is a linear function of their past, with noise added.

        y = scale * (x w + noise * e)

    All entries of w, x and e are independent and normal, with variance 1. One w serves
    all channels and windows.

    Args:
        windows: Numbers of windows for training, validation and test.
        scale: With `1 / sqrt(steps)`, y is about as large as x. Defaults to `1`.
    Returns:
        `Splits`, in float32.
    """
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((steps, horizon), "float32")

    def draw(count):
        x = rng.standard_normal((count, channels, steps), "float32")
        e = rng.standard_normal((count, channels, horizon), "float32")
        return x, np.float32(scale) * (x @ w + np.float32(noise) * e)

    return Splits(*(draw(count) for count in windows))


def least_squares(x, y):
    """The w with the least squared error of `x w`, one for all channels."""
    x, y = (array.reshape(-1, array.shape[-1]).astype("float64") for array in (x, y))
    return np.linalg.lstsq(x, y, rcond=None)[0]


def linear_errors(splits, centered=False):
    """Mean squared errors of least squares on the training windows.

    Args:
        splits: `Splits`.
        centered: Whether the mean of its input is first taken from each window, and
            added to the forecast. A linear map inside a reversible normalization does
            just this: the division by the scale and the multiplication cancel.
    Returns:
        Dict with the errors on `"validation"` and `"test"` windows.
    """

    def center(x, y):
        mean = x.mean(-1, keepdims=True) if centered else 0
        return x - mean, y - mean

    w = least_squares(*center(*splits.train))
    errors = {}
    for part in ("validation", "test"):
        x, y = center(*getattr(splits, part))
        errors[part] = float(np.mean((x @ w - y) ** 2))
    return errors


def read_ett(path):
    """The numbers of an hourly file of the ETT data (ETTh1.csv, ETTh2.csv).

    Args:
        path: A CSV file whose first line names a column `date` and seven columns of
            numbers, and which has one line an hour.
    Returns:
        Array of shape `(hours, 7)`.
    Raises:
        ValueError: if the file is not of this form.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = list(csv.reader(file))
    header = lines[0] if lines else []
    if header[:1] != ["date"] or len(header) != 8:
        raise ValueError(
            "The file must have a column `date` and seven columns of numbers, as ETTh1.csv "
            f"has. Received: columns={header}"
        )
    values = np.array([_numbers(line, i) for i, line in enumerate(lines[1:], 2)])
    if len(values) < 20 * MONTH:
        raise ValueError(
            f"The file must have 20 months of 30 days of 24 lines: {20 * MONTH} lines. "
            f"Received: {len(values)} lines"
        )
    _check_hourly(lines[1][0], lines[2][0])
    return values


def _numbers(line, number):
    try:
        values = [float(text) for text in line[1:]]
    except ValueError:
        values = []
    if len(values) != 7 or not np.isfinite(values).all():
        raise ValueError(
            f"Line {number} of the file must have a date and seven finite numbers. "
            f"Received: {line}"
        )
    return values


def _check_hourly(*dates):
    try:
        first, second = (datetime.fromisoformat(date) for date in dates)
    except ValueError:
        first = second = None
    if first is None or second - first != timedelta(hours=1):
        raise ValueError(
            "The file must have one line an hour, with dates as `2016-07-01 00:00:00`. "
            f"Received: the first dates {dates}"
        )


def ett_task(values, steps, horizon):
    """The usual split of ETTh: 12 months to train, 4 to validate, 4 to test.

    Channels are standardized by the mean and the deviation of the training months. The
    inputs of the first validation and test windows reach back into the part before.
    """
    train, validation, test = (months * MONTH for months in (12, 16, 20))
    known = values[:train]
    values = ((values - known.mean(0)) / known.std(0)).astype("float32")
    parts = (0, train), (train - steps, validation), (validation - steps, test)
    return Splits(*(_windows(values[a:b], steps, horizon) for a, b in parts))


def _windows(values, steps, horizon):
    windows = np.lib.stride_tricks.sliding_window_view(values, steps + horizon, axis=0)
    return windows[..., :steps].copy(), windows[..., steps:].copy()

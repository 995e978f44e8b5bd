"""The tables of `cost_of_generalization.py`, made from the lines of its files."""

from typing import NamedTuple

import numpy as np
from cost_methods import METHODS
from scipy import stats


class Row(NamedTuple):
    setting: dict
    accuracy: float
    half_interval: float  # 95 %, by Student's t
    share: tuple | None  # of SAM's gain, and its 95 % interval, by resampling seeds
    predicted: float  # cost of a step, in passes
    passes: float | None  # the same as counted, where a schedule decides by the gradient
    time: float | None  # of training, relative to plain training


def summarize(lines):
    """Dict from method to `Row`. A method that has not all seeds yet is left out. Where SAM
    is, or gains nothing for certain, there is no share."""
    tests = [line for line in lines if line.get("part") == "test"]
    times, passes = {}, {}
    for line in lines:
        seconds = line.get("seconds", {})
        passes |= line.get("passes", {})
        times |= {name: sum(seconds[name]) / sum(seconds["plain"]) for name in seconds}
    runs, settings = {}, {}
    for line in sorted(tests, key=lambda line: line["seed"]):
        runs.setdefault(line["method"], []).append(line["accuracy"])
        settings[line["method"]] = line["setting"]
    whole = [name for name in METHODS if len(runs.get(name, ())) == len(runs["plain"])]
    runs = {name: np.array(runs[name]) for name in whole}
    plain, sam = runs["plain"], runs.get("SAM")
    gains = sam is not None and (
        stats.ttest_rel(sam, plain, alternative="greater").pvalue < 0.05
    )
    return {
        name: Row(
            settings[name],
            values.mean(),
            stats.t.ppf(0.975, len(values) - 1) * stats.sem(values),
            share_of_gain(values, plain, sam) if gains else None,
            METHODS[name].passes,
            passes.get(name),
            times.get(name),
        )
        for name, values in runs.items()
    }


def share_of_gain(values, plain, sam):
    """Of SAM's gain over plain training, with the two ends of its interval."""

    def share(values, plain, sam, axis=-1):
        gain = values.mean(axis) - plain.mean(axis)
        return gain / (sam.mean(axis) - plain.mean(axis))

    data = values, plain, sam
    resampled = stats.bootstrap(data, share, paired=True, method="percentile", rng=0)
    return share(*data), *resampled.confidence_interval


def environments(lines):
    """What the runs were made on, each once."""
    found = [line["environment"] for line in lines if "environment" in line]
    return [e for i, e in enumerate(found) if e not in found[:i]]


def print_table(title, environments, rows):
    print(f"\n{title}. {'; '.join(map(str, environments))}\n")
    head = "method", "chosen", "accuracy (%)", "share of SAM's gain (%)"
    print("|", " | ".join([*head, "passes", "time"]), "|")
    print("|---" * 6 + "|")
    plain = rows["plain"].setting
    fixed = {k for k in plain if all(row.setting[k] == plain[k] for row in rows.values())}
    for method, row in rows.items():
        share = "-"
        if row.share is not None:
            whole, low, high = (100 * part for part in row.share)
            share = f"{whole:.0f}"
            if low < high:
                share += f" ({low:.0f} to {high:.0f})"
        passes = f"{row.predicted:.2f}"
        if row.passes is not None:
            passes += f", counted {row.passes:.2f}"
        chosen = {k: value for k, value in row.setting.items() if k not in fixed}
        chosen = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in chosen.items())
        accuracy = f"{row.accuracy:.1f} +- {row.half_interval:.1f}"
        time = "-" if row.time is None else f"{row.time:.2f}"
        print("|", " | ".join([method, chosen, accuracy, share, passes, time]), "|")

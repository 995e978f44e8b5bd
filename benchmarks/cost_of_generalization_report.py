"""The tables of `cost_of_generalization.py`, made from its JSON files."""

from typing import NamedTuple

import numpy as np
from scipy import stats


class Row(NamedTuple):
    accuracy: float
    half_interval: float  # 95 %, by Student's t
    share: tuple | None  # of SAM's gain, and its 95 % interval, by resampling seeds
    cost: float  # time of training, relative to plain training


def summarize(results):
    """Dict from method to `Row`. Where SAM gains nothing for certain, there is no share."""
    runs = {method: np.array(values) for method, values in results["accuracy"].items()}
    plain, sam = runs["plain"], runs["SAM"]

    def share(values, plain, sam, axis=-1):
        gain = values.mean(axis) - plain.mean(axis)
        return gain / (sam.mean(axis) - plain.mean(axis))

    gains = stats.ttest_rel(sam, plain, alternative="greater").pvalue < 0.05
    rows = {}
    for method, values in runs.items():
        half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
        kept = None
        if gains:
            data = values, plain, sam
            resampled = stats.bootstrap(
                data, share, paired=True, method="percentile", rng=0
            ).confidence_interval
            kept = share(*data), *resampled
        cost = sum(results["seconds"][method]) / sum(results["seconds"]["plain"])
        rows[method] = Row(values.mean(), half, kept, cost)
    return rows


def print_table(results):
    print(
        f"\n{results['task']}: {results['examples']} digits, {results['epochs']} epochs, "
        f"{len(results['accuracy']['plain'])} seeds, {results['versions']}\n"
    )
    print("| method | rho | rate | accuracy (%) | share of SAM's gain (%) | cost |")
    print("|---|---|---|---|---|---|")
    for method, row in summarize(results).items():
        rho, rate = results["settings"][method]
        share = "-"
        if row.share is not None:
            share = "{:.0f} ({:.0f} to {:.0f})".format(*(100 * x for x in row.share))
        print(
            f"| {method} | {'' if rho is None else rho} | {rate} "
            f"| {row.accuracy:.1f} +- {row.half_interval:.1f} "
            f"| {share} | {row.cost:.2f} |"
        )

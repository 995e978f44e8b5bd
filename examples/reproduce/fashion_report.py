"""The tables and pictures of `fashion.py`, from the results of its runs."""

import json
from pathlib import Path

import fashion_runs
import matplotlib.pyplot as plt
import numpy as np
import results


def last(run):
    return results.errors(run)[-1]


def best(run):
    return min(results.errors(run))


def cell(changes, runs, choose=last):
    """Mean and interval of a setting's test error, or nothing where it was not run."""
    errors = [choose(run) for run in fashion_runs.runs_with(changes, runs)]
    return results.mean_and_interval(errors) if errors else ""


def clean_table(runs):
    rows = []
    for name, changes in fashion_runs.CLEAN.items():
        found = fashion_runs.runs_with(changes, runs)
        cells = cell(changes, runs), cell(changes, runs, best), results.files(found)
        rows.append([name, *cells])
    return results.table(["all labels right", "last epoch", "best epoch", "runs"], rows)


def noise_table(runs, choose=last):
    """The five methods, by the part of wrong labels: the paper's Table 4, in small."""
    columns = [fashion_runs.noisy(part) for part in fashion_runs.NOISE]
    rows = []
    for name in columns[0]:
        cells = [cell(methods[name], runs, choose) for methods in columns]
        found = [fashion_runs.runs_with(methods[name], runs) for methods in columns]
        rows.append([name, *cells, "<br>".join(map(results.files, found))])
    parts = [f"{part:.0%} drawn anew" for part in fashion_runs.NOISE]
    return results.table([f"{choose.__name__} epoch", *parts, "runs"], rows)


def m_table(runs):
    """Test error by m and rho."""
    cells = {(c["m"], c["rho"]): cell(c, runs) for c in fashion_runs.M}
    radii = sorted({rho for _, rho in cells})
    rows = [
        [name_of(m), *(cells.get((m, rho), "") for rho in radii)]
        for m in fashion_runs.RADII
    ]
    return results.table(["test error at rho", *map(str, radii)], rows)


def name_of(m):
    return f"m = {m}" if m else "whole batch of 128"


def tuning_table(runs):
    """Every setting that was tried on validation images, and the mean of its seeds."""
    rows = []
    for part, settings in fashion_runs.TUNE.items():
        for changes in settings:
            names = [f"{k}={v}" for k, v in changes.items() if k != "validation"]
            errors = list(map(last, fashion_runs.runs_with(changes, runs)))
            if errors:
                rows.append([part, ", ".join(names), f"{np.mean(errors):.2f}"])
    return results.table(["part", "changed", "validation error, last epoch"], rows)


def readme_tables(runs):
    """Those of README.md."""
    return [clean_table(runs), noise_table(runs), noise_table(runs, best), m_table(runs)]


def tables(runs):
    return "\n\n".join([*readme_tables(runs), tuning_table(runs)])


def pictures(runs, folder):
    noise_picture(runs, Path(folder) / "fashion_noise.png")
    m_picture(runs, Path(folder) / "fashion_m.png")


def draw(axes, settings, runs, label):
    """A line of means with their intervals, where there are any.

    Args:
        axes: Of matplotlib.
        settings: Dict from x to the changes of the recipe's settings.
        runs: List of results.
        label: String.
    """
    points = []
    for x, changes in settings.items():
        errors = list(map(last, fashion_runs.runs_with(changes, runs)))
        if errors:
            points.append((x, *results.interval(errors)))
    if points:
        axes.errorbar(*zip(*points), label=label, marker="o", capsize=3)


def noise_picture(runs, file):
    """Test error after the last epoch against the part of wrong labels."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    columns = {100 * part: fashion_runs.noisy(part) for part in fashion_runs.NOISE}
    for i, name in enumerate(next(iter(columns.values()))):
        # Moved a little, so that intervals do not hide each other.
        settings = {x + 0.6 * (i - 2): methods[name] for x, methods in columns.items()}
        draw(axes, settings, runs, name)
    axes.set(xticks=list(columns), xlabel="labels drawn anew, %", ylabel="test error, %")
    axes.legend()
    figure.savefig(file, dpi=120)
    plt.close(figure)


def m_picture(runs, file):
    """Test error against rho, for each m: Figure 3 of the paper, in the middle."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for m in fashion_runs.RADII:
        settings = {c["rho"]: c for c in fashion_runs.M if c["m"] == m}
        draw(axes, settings, runs, name_of(m))
    axes.set(xscale="log", xlabel="rho", ylabel="test error, %")
    radii = sorted({changes["rho"] for changes in fashion_runs.M})
    axes.set_xticks(radii, list(map(str, radii)))
    axes.minorticks_off()
    axes.legend()
    figure.savefig(file, dpi=120)
    plt.close(figure)


def save(runs, file):
    """All results in one file, with numbers of 6 digits."""
    short = json.loads(
        json.dumps(runs), parse_float=lambda text: float(f"{float(text):.6g}")
    )
    Path(file).write_text("".join(json.dumps(run) + "\n" for run in short))

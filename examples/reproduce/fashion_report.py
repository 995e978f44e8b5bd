"""The tables and pictures of `fashion.py`, from the results of its runs."""

import json
from pathlib import Path

import fashion_runs
import matplotlib.pyplot as plt
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
    lines = ["| all labels right | last epoch | best epoch | runs |", "|---|---|---|---|"]
    for name, changes in fashion_runs.CLEAN.items():
        found = fashion_runs.runs_with(changes, runs)
        cells = [name, cell(changes, runs), cell(changes, runs, best), results.files(found)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def tuning_table(runs):
    """Every setting that was tried on validation images."""
    lines = ["| part | changed | validation error, last epoch |", "|---|---|---|"]
    for part, settings in fashion_runs.TUNE.items():
        for changes in settings:
            names = [f"{k}={v}" for k, v in changes.items() if k != "validation"]
            lines.append(f"| {part} | {', '.join(names)} | {cell(changes, runs)} |")
    return "\n".join(lines)


def tables(runs):
    return "\n\n".join([clean_table(runs), tuning_table(runs)])


def pictures(runs, folder):
    m_picture(runs, Path(folder) / "fashion_m.png")


def m_picture(runs, file):
    """Test error against rho, for each m: Figure 3 of the paper, in the middle."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for m in dict.fromkeys(changes["m"] for changes in fashion_runs.M):
        points = []
        for changes in fashion_runs.M:
            errors = list(map(last, fashion_runs.runs_with(changes, runs)))
            if changes["m"] == m and errors:
                points.append((changes["rho"], *results.interval(errors)))
        if points:
            label = f"m = {m}" if m else "whole batch of 128"
            rho, mean, half = zip(*points)
            axes.errorbar(rho, mean, half, label=label, marker="o", capsize=3)
    axes.set(xscale="log", xlabel="rho", ylabel="test error, %")
    axes.legend()
    figure.savefig(file, dpi=120)


def save(runs, file):
    """All results in one file, with numbers of 6 digits."""
    short = json.loads(
        json.dumps(runs), parse_float=lambda text: float(f"{float(text):.6g}")
    )
    Path(file).write_text("".join(json.dumps(run) + "\n" for run in short))

"""The table and the picture of `forecasting.py`, made from its JSON files."""

import json
from typing import NamedTuple

import numpy as np
from forecasting_runs import Setting, by_setting
from results import interval

ERROR = "test error minus that of least squares"


class Row(NamedTuple):
    """Test errors of one setting: means over seeds, with half of their 95 % intervals.

    Excess is the error minus that of least squares.
    """

    best: tuple  # excess after the epoch with the lowest validation error
    last: tuple  # excess after the last epoch
    gain: tuple | None  # by how much `best` is below that of plain training


def summarize(results):
    """Dict from `Setting` to `Row`, plain training first."""
    rows, plain = {}, None
    for setting, runs in by_setting(results["test"]).items():
        linear = np.array([run["least_squares"]["test"] for run in runs])
        best = np.array([r["test"][np.argmin(r["validation"])] for r in runs]) - linear
        last = np.array([run["test"][-1] for run in runs]) - linear
        gain = None if plain is None else interval(plain - best)
        plain = best if plain is None else plain
        rows[setting] = Row(interval(best), interval(last), gain)
    return rows


def print_table(results):
    settings, versions = (
        ", ".join(f"{name} {value}" for name, value in results[part].items())
        for part in ("settings", "versions")
    )
    runs = next(iter(by_setting(results["test"]).values()))
    linear = interval([run["least_squares"]["test"] for run in runs])
    print(f"\n{results['task']}: {settings}; {len(runs)} seeds")
    print(f"{versions}; {results['device']}")
    print("Error of least squares: {:.5g} +- {:.2g}\n".format(*linear))
    print("| method | rho | learning rate | excess | after the last epoch | below plain |")
    print("|---|---|---|---|---|---|")
    chosen = _chosen(results)
    for setting, row in summarize(results).items():
        mark = " (chosen)" if setting.method == "SAM" and setting in chosen else ""
        rho = "" if setting.rho is None else f"{setting.rho:g}"
        cells = ["" if pair is None else "{:.3g} +- {:.2g}".format(*pair) for pair in row]
        start = f"| {setting.method}{mark} | {rho} | {setting.learning_rate:g} | "
        print(start + " | ".join(cells) + " |")


def tuning_table(results):
    """Dict from (method, rho) to a dict from learning rate to its validation excess."""
    table = {}
    for setting, runs in by_setting(results["tuning"]).items():
        excess = [min(r["validation"]) - r["least_squares"]["validation"] for r in runs]
        row = table.setdefault((setting.method, setting.rho), {})
        row[setting.learning_rate] = float(np.mean(excess))
    return table


def print_tuning(results):
    table = tuning_table(results)
    rates = list(next(iter(table.values()), {}))
    if len(rates) < 2:
        return
    seeds = len({run["seed"] for run in results["tuning"]})
    print(f"\nExcess on validation windows, by learning rate ({seeds} other seeds):\n")
    print(f"| method | rho | {' | '.join(f'{rate:g}' for rate in rates)} |")
    print("|---|---|" + "---|" * len(rates))
    for (method, rho), row in table.items():
        cells = " | ".join(f"{value:.2g}" for value in row.values())
        print(f"| {method} | {'' if rho is None else f'{rho:g}'} | {cells} |")


def _chosen(results):
    return [Setting(*setting) for setting in results["chosen"].values()]


def save_picture(tables, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        len(tables), 2, figsize=(10, 4 * len(tables)), layout="constrained", squeeze=False
    )
    for (left, right), results in zip(panels, tables):
        _plot_epochs(left, results)
        _plot_choices(right, results)
        for axes in (left, right):
            axes.legend()
            axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    print(f"\nPicture saved to {path}")


def _name(method, rho):
    return f"{method}, rho {rho:g}" if rho else method


def _plot_epochs(axes, results):
    groups = by_setting(results["test"])
    for setting in _chosen(results):
        runs = groups[setting]
        excess = [np.subtract(r["test"], r["least_squares"]["test"]) for r in runs]
        curve = np.mean(excess, axis=0)
        label = f"{_name(setting.method, setting.rho)}, rate {setting.learning_rate:g}"
        axes.plot(range(1, len(curve) + 1), curve, label=label)
    if all((line.get_ydata() > 0).all() for line in axes.lines):
        axes.set_yscale("log")
    axes.set(title=f"{results['task']}: mean of {len(runs)} seeds", xlabel="epoch")
    axes.set_ylabel(ERROR)


def _plot_choices(axes, results):
    table = tuning_table(results)
    if len(next(iter(table.values()), {})) > 1:
        _plot_rates(axes, table, results["task"])
    else:
        _plot_radii(axes, summarize(results), results["task"])


def _plot_rates(axes, table, task):
    for (method, rho), row in table.items():
        axes.plot(list(row), list(row.values()), "o-", label=_name(method, rho))
    if min(min(row.values()) for row in table.values()) > 0:
        axes.set_yscale("log")
    axes.set(
        title=f"{task}: each learning rate, other seeds",
        xlabel="learning rate",
        xscale="log",
    )
    axes.set_ylabel("validation error minus that of least squares")


def _plot_radii(axes, rows, task):
    for i, (setting, row) in enumerate(list(rows.items())[:2]):
        mean, half = row.best
        axes.axhline(mean, color=f"C{i}", label=setting.method)
        axes.axhspan(mean - half, mean + half, color=f"C{i}", alpha=0.15)
    sam = {setting.rho: row.best for setting, row in rows.items() if setting.rho}
    means, halves = zip(*sam.values())
    axes.errorbar(list(sam), means, halves, fmt="o-", capsize=3, color="C2", label="SAM")
    axes.set(title=f"{task}: each rho, 95 % intervals", xlabel="rho", ylabel=ERROR)
    axes.set_xlim(left=0)


def report(paths, picture):
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for results in tables:
        print_table(results)
        print_tuning(results)
    save_picture(tables, picture)

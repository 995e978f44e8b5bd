"""What the search would have picked, and what cheap signals would: from runs of tuning.py.

    cd benchmarks && python tuning_report.py

The search is replayed on the recorded scores by the functions of `keras_sam.tuning` itself.
Its regret is the test error of what it picks, less that of what the full grid picks by the
last validation accuracy, seed by seed; so it may be negative. Intervals are of 95 %, over
seeds.

A signal picks the largest rho for which it is below a threshold, in the first three epochs
of training. The threshold is the one with the least regret on the other three tasks.
"""

import json
from pathlib import Path

import numpy as np
from tuning_tasks import TASKS  # It makes `results` known.

# isort: split
from results import mean_and_interval

from keras_sam.tuning import _halving

EPOCHS, FACTOR, FIRST = 27, 3, 3

# Of the means over the first epochs of one run.
SIGNALS = {
    "rise: sharpness / loss": lambda logs: logs["sharpness"] / logs["loss"],
    "turn: 1 - cos(g, s)": lambda logs: 1 - logs["gradient_cosine"],
    "bend: rho * curvature / length of g": lambda logs: (
        logs["rho"] * logs["curvature"] / logs["gradient_norm"]
    ),
}


def grids(found, ms):
    """A list of dicts, one for each seed with all settings: from (rho, m) to its run."""
    seeds = {}
    for run in found["grid"]:
        key = run["setting"]["rho"], run["setting"]["m"]
        if key[1] in ms:
            seeds.setdefault(run["seed"], {})[key] = run
    most = max(map(len, seeds.values()))
    return [seeds[seed] for seed in sorted(seeds) if len(seeds[seed]) == most]


def full(grid):
    """The setting with the best last validation accuracy."""
    scores = {key: run["logs"]["val_accuracy"][-1] for key, run in grid.items()}
    return _halving.ranked(scores, "max")[0]


def short(grid):
    """The setting that successive halving picks."""
    rungs = _halving.rungs(EPOCHS, FACTOR)

    def train(key, epochs):
        return grid[key]["logs"]["val_accuracy"][epochs - 1]

    *_, left = _halving.halve(list(grid), rungs, FACTOR, "max", train)
    return left[0]


def cost(grid):
    """The epochs of the short search, in parts of those of the full grid."""
    total = _halving.total(len(grid), _halving.rungs(EPOCHS, FACTOR), FACTOR)
    return total / (EPOCHS * len(grid))


def errors(seeds, pick):
    """The test error of what is picked, for each seed."""
    return np.array([grid[pick(grid)]["test_error"] for grid in seeds])


def least(seeds):
    """The least mean test error of a setting, which test images alone could find."""
    means = {key: np.mean([g[key]["test_error"] for g in seeds]) for key in seeds[0]}
    return min(means.values())


def table_of_search(results):
    """Markdown: for each task, what the two searches pick, and what no search would."""
    lines = [
        "| task | grid | seeds | full grid | short search | regret | cost "
        "| best on average | regret of rho = 0.05 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for task, found in results.items():
        for name, ms in (("rho", [None]), ("rho x m", [None, 8])):
            seeds = grids(found, ms)
            whole, halved = errors(seeds, full), errors(seeds, short)
            same = errors(seeds, lambda grid: (0.05, None))
            of = [whole, halved, halved - whole, same - whole]
            whole, halved, regret, of_same = map(mean_and_interval, of)
            cells = [task, name, len(seeds), whole, halved, regret]
            cells += [f"{cost(seeds[0]):.2f}", f"{least(seeds):.2f}", of_same]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def signals_of(seeds, signal):
    """For each seed a dict from rho to the signal."""

    def of(run):
        first = {n: np.mean(values[:FIRST]) for n, values in run["logs"].items()}
        return signal(first | {"rho": run["setting"]["rho"]})

    return [{key[0]: of(run) for key, run in g.items() if key[0] > 0} for g in seeds]


def below(signal, threshold):
    """The largest rho whose signal, and those of all smaller ones, are below it."""
    picked = min(signal)
    for rho in sorted(signal):
        if not signal[rho] < threshold:
            break
        picked = rho
    return picked


def regrets(seeds, signals, threshold):
    """Of the signal's pick against the full grid's, and the picks."""
    picks = [below(signal, threshold) for signal in signals]
    found = [grid[rho, None]["test_error"] for grid, rho in zip(seeds, picks)]
    return np.array(found) - errors(seeds, full), picks


def table_of_signals(results):
    """Markdown: for each signal and task, the threshold, what it picks, and the regret."""
    lines = ["| signal | task | threshold | picks | regret |", "|---|---|---|---|---|"]
    seeds = {task: grids(found, [None]) for task, found in results.items()}
    for name, signal in SIGNALS.items():
        of = {task: signals_of(seeds[task], signal) for task in results}
        for task in results:
            others = [t for t in results if t != task]
            seen = [v for t in others for one in of[t] for v in one.values()]
            tried = sorted(v for v in seen if np.isfinite(v))
            costs = [
                np.mean([regrets(seeds[t], of[t], c)[0].mean() for t in others])
                for c in tried
            ]
            threshold = tried[int(np.argmin(costs))]
            regret, picks = regrets(seeds[task], of[task], threshold)
            picked = ", ".join(f"{rho:g}" for rho in sorted(set(picks)))
            cells = [name, task, f"{threshold:.2g}", picked, mean_and_interval(regret)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def load(folder):
    files = {task: folder / f"tuning_{task}.json" for task in TASKS}
    return {task: json.loads(f.read_text()) for task, f in files.items() if f.exists()}


if __name__ == "__main__":
    found = load(Path())
    print(table_of_search(found), table_of_signals(found), sep="\n\n")

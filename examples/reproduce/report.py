"""The paper's tables in Markdown, with independent numbers and ours beside the paper's.

    python examples/reproduce/report.py --results=results --only=cifar_wrn28_10

The flags of a row are those of `train.py`. Ours is the mean over the seeds, with the 95 %
interval and the number of seeds in parentheses, after the last epoch and at the best one.
Their files are named beside it. A row is blank where nothing was run.
"""

import dataclasses
import importlib

import settings
from absl import app, flags
from results import errors, files, finished, mean_and_interval
from results import table as results_table

FLAGS = flags.FLAGS
flags.DEFINE_string("results", "results", "A folder of results, or a file of all of them.")
flags.DEFINE_multi_string("only", None, "The recipes to report on. By default, all.")


def table(name, runs):
    """Markdown of the rows of a recipe.

    Args:
        name: Of the recipe.
        runs: List of results.
    """
    recipe = importlib.import_module(f"recipes.{name}")
    head = ["table", "flags", "paper", "independent", "ours, last epoch", "ours, best"]
    lines = []
    for row in recipe.ROWS:
        others = "; ".join(f"{number} ({source})" for source, number in row.others.items())
        ours = _ours(recipe, name, row, runs)
        lines.append([row.table, " or ".join(row.flags), row.paper, others, *ours])
    return results_table([*head, "results"], lines)


def _ours(recipe, name, row, runs):
    """The cells of our numbers: of the flags with the best mean, if several were run."""
    found = []
    for flags_ in row.flags:
        wanted = dataclasses.asdict(settings.of(recipe, settings.parse(flags_)))
        same = [r for r in runs if r["recipe"] == name and r["settings"] == wanted]
        if same:
            last = [errors(run)[-1] for run in same]
            found.append((sum(last) / len(last), last, same))
    if not found:
        return "", "", ""
    _, last, same = min(found, key=lambda one: one[0])
    best = [min(errors(run)) for run in same]
    if "accuracy" in row.table:
        last, best = ([100 - error for error in values] for values in (last, best))
    smoke = ", smoke" if any(run["smoke"] for run in same) else ""
    words = [f"{mean_and_interval(v)} ({len(v)}{smoke})" for v in (last, best)]
    return *words, files(same)


def main(_):
    runs = finished(FLAGS.results)
    recipes = FLAGS.only or sorted({run["recipe"] for run in runs})
    for name in recipes:
        print(f"## {name}\n\n{table(name, runs)}\n")


if __name__ == "__main__":
    app.run(main)

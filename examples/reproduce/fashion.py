"""Fashion-MNIST with a small network: the results in README.md.

    python examples/reproduce/fashion.py --part=clean --data_dir=...
    python examples/reproduce/fashion.py

The second prints the tables of what has been run, and with `--pictures` makes the pictures.
Those of README.md come from a file in this repository:

    python examples/reproduce/fashion.py \\
        --results=examples/reproduce/results/fashion_mnist_small.jsonl --pictures=.

fashion_runs.py, transfer.py and quantized.py have the parts. What has been run already is
not run again, so the command also goes on after an interruption. Two processes may share a
part of fashion_runs.py, each with seeds of its own: `--seeds=0,2,4` and `--seeds=1,3`.
"""

import sys
from pathlib import Path

from absl import app, flags

# As in train.py.
sys.path.append(str(Path(__file__).parents[1]))

import fashion_report
import quantized
import results
import transfer
from experiment import Experiment
from fashion_runs import PARTS
from recipes import fashion_mnist_mlp, fashion_mnist_small

# Parts that begin where a run of fashion_runs.py ends.
SECOND = {"transfer": transfer, "quantized": quantized}

FLAGS = flags.FLAGS
flags.DEFINE_multi_enum("part", [], [*PARTS, *SECOND], "What to run.")
flags.DEFINE_list("seeds", ["0", "1", "2", "3", "4"], "The seeds of each setting.")
flags.DEFINE_string("data_dir", None, "Where the four files of Fashion-MNIST are.")
flags.DEFINE_string("results", "results", "The folder of results and weights.")
flags.DEFINE_string("pictures", None, "A folder for the pictures. Without it, none.")
flags.DEFINE_string("save", None, "A file to write all results to, a line for each run.")


def run(part, seeds):
    recipe = fashion_mnist_mlp if part == "quantized" else fashion_mnist_small
    experiment = Experiment(
        name=recipe.__name__.removeprefix("recipes."),
        recipe=recipe,
        folder=FLAGS.results,
        data_dir=FLAGS.data_dir,
        verbose=0,
    )
    if part in SECOND:
        runs = SECOND[part].run(experiment, seeds)
        found = results.environment(experiment.dtype) | {"runs": runs}
        print(SECOND[part].table(runs))
        results.write(Path(FLAGS.results) / f"fashion_{part}.json", found)
        return
    for seed in seeds:
        for changes in PARTS[part]:
            error = results.errors(experiment.run(changes, seed))[-1]
            print(part, changes, f"seed={seed}", f"{error:.2f} %", flush=True)


def main(_):
    for part in FLAGS.part:
        run(part, list(map(int, FLAGS.seeds)))
    found = results.finished(FLAGS.results)
    runs = [run for run in found if run["recipe"] == "fashion_mnist_small"]
    print(fashion_report.tables(runs))
    if FLAGS.pictures:
        fashion_report.pictures(runs, FLAGS.pictures)
    if FLAGS.save:
        fashion_report.save(runs, FLAGS.save)


if __name__ == "__main__":
    app.run(main)

"""What each way to climb costs, and what it buys: test accuracy against training time.

    python benchmarks/cost_of_generalization.py

The quickstart's network learns scikit-learn's handwritten digits, once with 40 % of the
training labels random ("noisy") and once with few examples and right labels ("few"):
plainly, with sharpness-aware minimization, and with each cheaper way to climb, for the
same number of epochs. The learning rate is the one that is best for plain training on
validation digits, the same for all; rho is chosen for each method by its accuracy there,
the mean over seeds that are not those of the test. Costs are the seconds of `fit`'s epochs
without the first, divided by plain training's with the same seed, the methods taking turns.

The results go to a JSON file, from which the table and the picture are made.
"""

import json
import math
import sys
from pathlib import Path

import keras
import numpy as np
from absl import app, flags
from scipy import stats

import keras_sam
from keras_sam import ascents, schedules

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from digits import BATCH_SIZE, EpochTimes, build_network, load_data

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "noisy", ["noisy", "few"], "Wrong labels, or few examples.")
flags.DEFINE_integer("epochs", 40, "Passes over the training digits.", lower_bound=8)
flags.DEFINE_integer("examples", 100, "Training digits of the task `few`.")
flags.DEFINE_integer("seeds", 5, "Number of runs of each method.", lower_bound=2)
flags.DEFINE_integer("tuning_seeds", 2, "Number of runs to choose a rho by.")
flags.DEFINE_multi_string("method", [], "Only these, and plain training and SAM.")
flags.DEFINE_string("results", None, "The JSON file; defaults to the task's name.")
flags.DEFINE_bool("run", True, "Train; or only print and plot what the file has.")
flags.DEFINE_string("picture", "cost_of_generalization.png", "Where to save the picture.")

LEARNING_RATES = (0.01, 0.03, 0.1)
RHOS = (0.1, 0.2, 0.4, 0.8)


def late(part):
    start = math.floor(FLAGS.epochs * (1 - part))
    return {"schedule": schedules.Between(start=start, unit="epochs")}


METHODS = {
    "plain": None,
    "SAM": lambda: {},
    "ASAM": lambda: {"ascent": ascents.Adaptive()},
    "quarter of the batch": lambda: {"schedule": schedules.Fraction(0.25)},
    "every 5th step": lambda: {"schedule": schedules.Every(5)},
    "LookSAM, k = 5": lambda: {"schedule": schedules.Every(5, reuse=0.7)},
    "last quarter": lambda: late(0.25),
    "last tenth": lambda: late(0.1),
    "AE-SAM": lambda: {"schedule": schedules.Adaptive(c=0.5)},
    "Momentum": lambda: {"ascent": ascents.Momentum()},
    "LastStep": lambda: {"ascent": ascents.LastStep()},
}
# ASAM's operator makes a perturbation smaller: its paper's rho is ten times SAM's.
SCALE = {"ASAM": 10}


def load():
    (x, y), validation, test = load_data(0.4 if FLAGS.task == "noisy" else 0.0)
    count = FLAGS.examples if FLAGS.task == "few" else len(x)
    return (x[:count], y[:count]), validation, test


def train(method, rho, rate, seed, train_data, other_data):
    """The accuracy after training, and the seconds of the epochs but the first."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    make = METHODS[method]
    network = build_network()
    if make is None:
        model = keras.Model(*network)
    else:
        model = keras_sam.SAMModel(*network, rho=rho, **make())
    steps = FLAGS.epochs * math.ceil(len(train_data[0]) / BATCH_SIZE)
    model.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(rate, steps), momentum=0.9
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    times = EpochTimes()
    model.fit(
        *train_data,
        batch_size=BATCH_SIZE,
        epochs=FLAGS.epochs,
        callbacks=[times],
        verbose=0,
    )
    accuracy = model.evaluate(*other_data, verbose=0, return_dict=True)["accuracy"]
    return 100 * accuracy, sum(times.seconds[1:])


def tune(method, settings, data):
    """The setting (rho, learning rate) with the best mean accuracy on validation data."""
    seeds = range(100, 100 + FLAGS.tuning_seeds)
    means = {}
    for rho, rate in settings:
        runs = [train(method, rho, rate, seed, *data)[0] for seed in seeds]
        means[rho, rate] = float(np.mean(runs))
        print(f"{method}, rho {rho}, rate {rate}: {means[rho, rate]:.1f} %", flush=True)
    return max(means, key=means.get)


def measure():
    data, validation, test = load()
    chosen = ["plain", "SAM", *FLAGS.method] if FLAGS.method else list(METHODS)
    plain = [(None, rate) for rate in LEARNING_RATES]
    settings = {"plain": tune("plain", plain, (data, validation))}
    rate = settings["plain"][1]
    for method in chosen[1:]:
        grid = [(rho * SCALE.get(method, 1), rate) for rho in RHOS]
        settings[method] = tune(method, grid, (data, validation))
    runs = {method: [] for method in chosen}
    for seed in range(FLAGS.seeds):
        for method in chosen:
            runs[method].append(train(method, *settings[method], seed, data, test))
            print(f"{method}, seed {seed}: {runs[method][-1]}", flush=True)
    return {
        "task": FLAGS.task,
        "epochs": FLAGS.epochs,
        "examples": len(data[0]),
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
        "settings": settings,
        "runs": runs,
    }


def summarize(results):
    """For each method: accuracy and its half interval, share of SAM's gain, cost."""
    accuracy, seconds = (
        {method: np.array(runs)[:, i] for method, runs in results["runs"].items()}
        for i in (0, 1)
    )
    gain = accuracy["SAM"].mean() - accuracy["plain"].mean()
    rows = {}
    for method, values in accuracy.items():
        half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
        share = (values.mean() - accuracy["plain"].mean()) / gain
        cost = np.median(seconds[method] / seconds["plain"])
        rows[method] = values.mean(), half, share, cost
    return rows


def print_table(results):
    print(
        f"\n{results['task']}: {results['examples']} digits, {results['epochs']} epochs, "
        f"{len(results['runs']['plain'])} seeds, {results['versions']}\n"
    )
    print("| method | rho | test accuracy, 95 % interval | share of SAM's gain | cost |")
    print("|---|---|---|---|---|")
    for method, (mean, half, share, cost) in summarize(results).items():
        rho, rate = results["settings"][method]
        rho = f"rate {rate}" if rho is None else f"{rho:g}"
        print(f"| {method} | {rho} | {mean:.1f} +- {half:.1f} | {share:.0%} | {cost:.2f} |")


def save_picture(tables, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        1, len(tables), figsize=(6.5 * len(tables), 5), layout="constrained", squeeze=False
    )
    for axes, results in zip(panels[0], tables):
        for method, (mean, half, _, cost) in summarize(results).items():
            axes.errorbar(cost, mean, half, fmt="o", capsize=3)
            axes.annotate(method, (cost, mean), (6, 4), textcoords="offset points")
        axes.axvline(1.15, color="gray", linestyle=":")
        axes.set(
            xlabel="time of training / plain training",
            ylabel="test accuracy (%), 95 % interval",
            title=f"{results['task']}: {results['examples']} digits",
        )
        axes.margins(0.15)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    print(f"Picture saved to {path}")


def main(argv):
    paths = [Path(name) for name in argv[1:]]
    if FLAGS.run:
        paths = [Path(FLAGS.results or f"cost_of_generalization_{FLAGS.task}.json")]
        paths[0].write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for results in tables:
        print_table(results)
    save_picture(tables, FLAGS.picture)


if __name__ == "__main__":
    app.run(main)

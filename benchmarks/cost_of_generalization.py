"""What each way to climb costs, and what it buys: test accuracy against training time.

    python benchmarks/cost_of_generalization.py

The quickstart's network learns scikit-learn's handwritten digits, once with 40 % of the
training labels random ("noisy") and once with few examples and right labels ("few"):
plainly, with sharpness-aware minimization, and with each cheaper way to climb, for the
same number of epochs. The settings are those with the best accuracy on validation digits,
the mean over seeds that are not those of the test: the learning rate of plain training,
and for each other method rho, and that learning rate or the next larger one. Costs are the
seconds of `fit`'s epochs divided by plain training's, the methods taking turns epoch by
epoch.

The results go to a JSON file, from which the table and the picture are made.
"""

import itertools
import json
import math
from pathlib import Path

import keras
import numpy as np
from absl import app, flags
from cost_of_generalization_picture import save_picture
from cost_of_generalization_report import print_table, summarize
from digits import BATCH_SIZE, EpochTimes, build_network, load_data

import keras_sam
from keras_sam import ascents, schedules

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "noisy", ["noisy", "few"], "Wrong labels, or few examples.")
flags.DEFINE_integer("epochs", 30, "Passes over the training digits.", lower_bound=8)
flags.DEFINE_integer("examples", 200, "Training digits of the task `few`.")
flags.DEFINE_integer("seeds", 10, "Number of runs of each method.", lower_bound=2)
flags.DEFINE_integer("tuning_seeds", 2, "Number of runs to choose a rho by.")
flags.DEFINE_multi_string("method", [], "Only these, and plain training and SAM.")
flags.DEFINE_string("results", None, "The JSON file; defaults to the task's name.")
flags.DEFINE_bool("run", True, "Train; or only print and plot what the file has.")
flags.DEFINE_string("picture", "cost_of_generalization.png", "Where to save the picture.")

LEARNING_RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
RHOS = (0.1, 0.2, 0.4, 0.8)


def late(part):
    start = math.floor(FLAGS.epochs * (1 - part))
    return {"schedule": schedules.Between(start=start, unit="epochs")}


def some(variables):
    return {"ascent": ascents.LpBall(variables=variables)}


METHODS = {
    "plain": None,
    "SAM": lambda: {},
    "ASAM": lambda: {"ascent": ascents.Adaptive()},
    "quarter of the batch": lambda: {"schedule": schedules.Fraction(0.25)},
    "every 5th step": lambda: {"schedule": schedules.Every(5)},
    "LookSAM, k = 5": lambda: {"schedule": schedules.Every(5, reuse=0.7)},
    "LookSAM, k = 10": lambda: {"schedule": schedules.Every(10, reuse=0.7)},
    "last quarter": lambda: late(0.25),
    "last tenth": lambda: late(0.1),
    "AE-SAM, c = 0.5": lambda: {"schedule": schedules.Adaptive(c=0.5)},
    "AE-SAM, c = 1": lambda: {"schedule": schedules.Adaptive(c=1)},
    "the head": lambda: some("^dense"),
    "the top": lambda: some("^(dense|conv2d_2|batch_normalization_2)"),
    "norm layers": lambda: some("^batch_normalization"),
    "Momentum": lambda: {"ascent": ascents.Momentum()},
    "LastStep": lambda: {"ascent": ascents.LastStep()},
}
# ASAM's operator makes a perturbation smaller: its paper's rho is ten times SAM's.
SCALE = {"ASAM": 10}


def load():
    (x, y), validation, test = load_data(0.4 if FLAGS.task == "noisy" else 0.0)
    count = FLAGS.examples if FLAGS.task == "few" else len(x)
    return (x[:count], y[:count]), validation, test


def make(method, rho, rate, examples):
    """A compiled model, its learning rate 0 at the end of training."""
    parts = METHODS[method]
    network = build_network()
    if parts is None:
        model = keras.Model(*network)
    else:
        model = keras_sam.SAMModel(*network, rho=rho, **parts())
    steps = FLAGS.epochs * math.ceil(examples / BATCH_SIZE)
    model.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(rate, steps), momentum=0.9
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def accuracy(method, setting, seed, train_data, other_data):
    """In percent, after training."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = make(method, *setting, len(train_data[0]))
    model.fit(*train_data, batch_size=BATCH_SIZE, epochs=FLAGS.epochs, verbose=0)
    return 100 * model.evaluate(*other_data, verbose=0, return_dict=True)["accuracy"]


def tune(method, rates, data):
    """The setting (rho, learning rate) with the best mean accuracy on validation data.

    As long as the best rho is the smallest or the largest, the grid goes on beyond it.
    """
    seeds = range(100, 100 + FLAGS.tuning_seeds)

    def mean(setting):
        value = float(np.mean([accuracy(method, setting, s, *data) for s in seeds]))
        print(f"{method}, (rho, rate) {setting}: {value:.1f} %", flush=True)
        return value

    rhos = [rho * SCALE.get(method, 1) for rho in RHOS] if METHODS[method] else [None]
    means = {}
    while True:
        grid = itertools.product(rhos, rates)
        means |= {setting: mean(setting) for setting in grid if setting not in means}
        best = max(means, key=means.get)
        if best[0] is None or best[0] not in (rhos[0], rhos[-1]):
            return best
        rhos = [rhos[0] / 2, *rhos] if best[0] == rhos[0] else [*rhos, 2 * rhos[-1]]


def measure_costs(settings, data):
    """Seconds of epochs from all of training, the methods taking turns.

    An epoch has as many digits as there are, if need be each several times.
    """
    keras.backend.clear_session()
    models = {method: make(method, *settings[method], len(data[0])) for method in settings}
    count = len(load_data(0.0)[0][0])
    data = [np.resize(array, (count, *array.shape[1:])) for array in data]
    seconds = {method: [] for method in settings}
    times = EpochTimes()
    epochs = range(0, FLAGS.epochs, math.ceil(FLAGS.epochs / 30))
    for i, epoch in enumerate([0, *epochs]):  # The first time, TensorFlow compiles.
        for method, model in models.items():
            model.fit(
                *data,
                batch_size=BATCH_SIZE,
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=[times],
                verbose=0,
            )
            seconds[method] += times.seconds if i else []
    return seconds


def measure():
    data, validation, test = load()
    chosen = ["plain", "SAM", *FLAGS.method] if FLAGS.method else list(METHODS)
    settings = {"plain": tune("plain", LEARNING_RATES, (data, validation))}
    best = LEARNING_RATES.index(settings["plain"][1])
    for method in chosen[1:]:
        rates = LEARNING_RATES[best : best + 2]
        settings[method] = tune(method, rates, (data, validation))
    runs = {method: [] for method in chosen}
    for seed in range(FLAGS.seeds):
        for method in chosen:
            runs[method].append(accuracy(method, settings[method], seed, data, test))
            print(f"{method}, seed {seed}: {runs[method][-1]:.1f} %", flush=True)
    return {
        "task": FLAGS.task,
        "epochs": FLAGS.epochs,
        "examples": len(data[0]),
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
        "settings": settings,
        "accuracy": runs,
        "seconds": measure_costs(settings, data),
    }


def main(argv):
    paths = [Path(name) for name in argv[1:]]
    if FLAGS.run:
        paths = [Path(FLAGS.results or f"cost_of_generalization_{FLAGS.task}.json")]
        paths[0].write_text(json.dumps(measure()) + "\n", encoding="utf-8")
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for results in tables:
        print_table(results)
    save_picture(tables[0], summarize(tables[0]), FLAGS.picture)


if __name__ == "__main__":
    app.run(main)

"""How good is what `keras_sam.tuning.search` picks? Trains the whole grid, to compare with.

    python benchmarks/tuning.py --task=digits_noisy
    python benchmarks/tuning.py --task=fashion --data_dir=/usr/share/datasets/fashion-mnist
    cd benchmarks && python tuning_report.py

First the learning rate, of plain and of sharpness-aware training, is chosen by the error on
validation images, with seeds of its own. Then each rho of the grid trains with each m and
five seeds. The file of results has the scores of every epoch, on which the report replays
the search. Each run is written once it is done, and is not made again.
"""

import itertools
import json
import sys
from pathlib import Path

import keras
import numpy as np
from absl import app, flags
from tuning_tasks import LEARNING_RATES, TASKS

import keras_sam
from keras_sam.tuning import RHOS

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "digits", [*TASKS], "What to learn.")
flags.DEFINE_string("data_dir", None, "Where the four files of Fashion-MNIST are.")
flags.DEFINE_string("results", None, "A JSON file. Default: tuning_<task>.json.")
flags.DEFINE_bool("smoke", False, "Whether to take few settings, epochs and examples.")

EPOCHS = 27
SEEDS, TUNING_SEEDS = range(5), range(100, 102)
# The paper's, plain training, and one beyond.
GRID = (0.0, *RHOS, 1.0)
KEPT = (
    "loss",
    "val_loss",
    "val_accuracy",
    "sharpness",
    "gradient_norm",
    "gradient_cosine",
    "curvature",
)


def settings_to_tune(found):
    """Plain training, and two radii, with each learning rate."""
    pairs = itertools.product((0.0, 0.05, 0.2), LEARNING_RATES)
    return [{"rho": rho, "m": None, "learning_rate": rate} for rho, rate in pairs]


def settings_of_grid(found):
    """The grid, with the learning rates that were the best."""
    tuning = found["tuning"]
    rates = {
        plain: best(run for run in tuning if (run["setting"]["rho"] == 0) == plain)
        for plain in (True, False)
    }
    pairs = [(rho, m) for m in (None, 8) for rho in GRID if rho or m is None]
    return [{"rho": r, "m": m, "learning_rate": rates[r == 0]} for r, m in pairs]


def best(runs):
    """The learning rate of the setting with the best last validation accuracy, of equals
    the largest."""
    scores = {}
    for run in runs:
        key = run["setting"]["rho"], run["setting"]["learning_rate"]
        scores.setdefault(key, []).append(run["logs"]["val_accuracy"][-1])
    return max((np.mean(scores[rho, rate]), rate) for rho, rate in scores)[1]


PARTS = (
    ("tuning", settings_to_tune, TUNING_SEEDS),
    ("grid", settings_of_grid, SEEDS),
)


def train(task, data, setting, seed, epochs=EPOCHS):
    """One run: the setting, the seed, the logs of every epoch, and the test error."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    rho, m = setting["rho"], setting["m"]
    model = keras_sam.SAMModel(*task.network(), rho=rho, m=m, curvature=rho > 0)
    x, y = data[0]
    steps = epochs * -(-len(x) // task.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(setting["learning_rate"], steps)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        x, y, task.batch_size, epochs, verbose=0, validation_data=data[1]
    ).history
    logs = {n: [float(f"{v:.5g}") for v in history[n]] for n in KEPT if n in history}
    accuracy = model.evaluate(*data[2], batch_size=256, verbose=0)[1]
    error = 100 * (1 - accuracy)
    return {"setting": setting, "seed": seed, "logs": logs, "test_error": error}


def main(_):
    import results

    task = TASKS[FLAGS.task]
    file = Path(FLAGS.results or f"tuning_{FLAGS.task}.json")
    data = task.load(FLAGS.data_dir)
    if FLAGS.smoke:
        data = [(x[:64], y[:64]) for x, y in data]
    found = results.environment("float32") | {
        "smoke": FLAGS.smoke,
        "tuning": [],
        "grid": [],
    }
    if file.exists():
        found = json.loads(file.read_text())
    if found["smoke"] != FLAGS.smoke:
        sys.exit("Runs with and without --smoke need files of their own: `--results`.")
    epochs = 2 if FLAGS.smoke else EPOCHS
    for part, settings, seeds in PARTS:
        pairs = list(itertools.product(settings(found), seeds))
        for setting, seed in pairs[:: len(pairs) // 2] if FLAGS.smoke else pairs:
            if (setting, seed) not in [(r["setting"], r["seed"]) for r in found[part]]:
                run = train(task, data, setting, seed, epochs)
                found[part].append(run)
                print(setting, f"seed={seed}: {run['test_error']:.1f} %", flush=True)
                results.write(file, found)


if __name__ == "__main__":
    app.run(main)

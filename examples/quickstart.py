"""Handwritten digits with wrong labels: plain training, and sharpness-aware.

    python examples/quickstart.py

A small convolutional network learns scikit-learn's 1797 digits of 8 x 8 pixels, with a part
of the training labels replaced by random ones. It is trained plainly and sharpness-aware,
from the same initial weights, once per seed, on the backend that the environment variable
`KERAS_BACKEND` names. The table has the accuracy on clean test digits after the last epoch;
the picture has it after each epoch.

The test digits choose nothing. The learning rates and rho are those that

    python examples/quickstart.py --tune

found best on validation digits, whose labels are as noisy as the training labels are.
"""

import itertools
import math

import keras
import numpy as np
import strategies
from absl import app, flags
from digits import BATCH_SIZE, EpochTimes, build_network, load_data

import keras_sam

FLAGS = flags.FLAGS
flags.DEFINE_integer("epochs", 40, "Passes over the training digits.", lower_bound=1)
flags.DEFINE_float("noise", 0.4, "Part of the labels made random.", 0.0, 1.0)
flags.DEFINE_float("rho", 0.4, "Radius of the perturbation.", lower_bound=0.0)
flags.DEFINE_float("learning_rate", 0.01, "Of the sharpness-aware run.", lower_bound=0.0)
flags.DEFINE_float("plain_learning_rate", 0.001, "Of the plain run.", lower_bound=0.0)
flags.DEFINE_integer("seeds", 3, "Number of runs of each.", lower_bound=1)
flags.DEFINE_string("picture", "quickstart.png", "Where to save the learning curves.")
flags.DEFINE_bool("tune", False, "Print the validation accuracy of a grid, and stop.")
flags.DEFINE_integer("verbose", 1, "As of `fit`: 0 silent, 1 progress bar, 2 a line.")

LEARNING_RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
RHOS = (0.1, 0.2, 0.4, 0.8)


def whole_batches(data):
    """All batches of one size, as TPUs need them, and replicas to have equal parts."""
    count = len(data[0]) // BATCH_SIZE * BATCH_SIZE
    return tuple(array[:count] for array in data)


def train(rho, learning_rate, seed, train_data, test_data, strategy):
    """Test accuracy after each epoch, and the median seconds of an epoch's training."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    steps = math.ceil(len(train_data[0]) / BATCH_SIZE)
    with strategy.scope():
        network = build_network()
        plain = rho is None
        model = keras.Model(*network) if plain else keras_sam.SAMModel(*network, rho=rho)
        model.compile(
            keras.optimizers.SGD(
                keras.optimizers.schedules.CosineDecay(learning_rate, FLAGS.epochs * steps),
                momentum=0.9,
            ),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        times = EpochTimes()
        history = model.fit(
            *train_data,
            batch_size=BATCH_SIZE,
            epochs=FLAGS.epochs,
            validation_data=test_data,
            callbacks=[times],
            verbose=FLAGS.verbose,
        )
    return history.history["val_accuracy"], np.median(times.seconds)


def tune(train_data, validation_data, strategy):
    """The same rule for both: best mean of the last epoch over the seeds."""
    print("validation accuracy after the last epoch (labels as noisy as in training)")
    print("rho    learning rate   mean")
    best = {}
    for rho, rate in itertools.product((None, *RHOS), LEARNING_RATES):
        data = train_data, validation_data
        runs = [train(rho, rate, seed, *data, strategy) for seed in range(FLAGS.seeds)]
        curves = [curve for curve, _ in runs]
        mean = np.mean(curves, axis=0)[-1]
        name = "plain" if rho is None else f"{rho:<5}"
        print(f"{name}  {rate:<13}  {100 * mean:5.1f} %", flush=True)
        method = "plain" if rho is None else "sharpness-aware"
        best[method] = max(best.get(method, (0,)), (mean, rate, rho))
    for method, (mean, rate, rho) in best.items():
        print(f"best {method}: learning rate {rate}, rho {rho} ({100 * mean:.1f} %)")


def compare(train_data, test_data, strategy):
    """Curves of shape (seeds, epochs) and seconds per epoch, for each of the two."""
    settings = {
        "plain": (None, FLAGS.plain_learning_rate),
        "sharpness-aware": (FLAGS.rho, FLAGS.learning_rate),
    }
    curves = {name: [] for name in settings}
    seconds = {name: [] for name in settings}
    for seed in range(FLAGS.seeds):
        for name, (rho, rate) in settings.items():
            print(f"{name}, seed {seed}: learning rate {rate}, rho {rho}", flush=True)
            curve, epoch = train(rho, rate, seed, train_data, test_data, strategy)
            curves[name].append(curve)
            seconds[name].append(epoch)
    return {name: 100 * np.array(c) for name, c in curves.items()}, seconds


def print_table(curves, seconds):
    print(f"\nTest accuracy after epoch {FLAGS.epochs}, {FLAGS.noise:.0%} random labels")
    print(f"{FLAGS.seeds} seeds, mean and standard deviation; seconds per training epoch")
    print("                   accuracy        cost")
    for name, curve in curves.items():
        last = curve[:, -1]
        ratio = np.median(np.divide(seconds[name], seconds["plain"]))
        print(
            f"{name:<17} {last.mean():5.1f} +- {last.std():3.1f} %  {ratio:4.2f} x"
            f" ({np.median(seconds[name]):.2f} s)"
        )


def save_picture(curves, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    epochs = np.arange(1, FLAGS.epochs + 1)
    for name, curve in curves.items():
        mean, deviation = curve.mean(0), curve.std(0)
        (line,) = axes.plot(epochs, mean, label=f"{name}: {mean[-1]:.1f} %")
        axes.fill_between(
            epochs, mean - deviation, mean + deviation, color=line.get_color(), alpha=0.2
        )
    axes.set(
        xlabel="epoch",
        ylabel="accuracy on clean test digits (%)",
        title=f"Digits, {FLAGS.noise:.0%} random training labels, {FLAGS.seeds} seeds",
    )
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    print(f"Learning curves saved to {path}")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    try:
        strategy = strategies.make_strategy()
    except ValueError as error:
        raise app.UsageError(str(error)) from error
    data = load_data(FLAGS.noise)
    if FLAGS.strategy != "none":
        data = map(whole_batches, data)
    train_data, validation_data, test_data = data
    if FLAGS.tune:
        tune(train_data, validation_data, strategy)
        return
    curves, seconds = compare(train_data, test_data, strategy)
    if strategies.is_chief(strategy):
        print_table(curves, seconds)
        save_picture(curves, FLAGS.picture)


if __name__ == "__main__":
    app.run(main)

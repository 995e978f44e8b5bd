"""The small network fine-tuned on a few digits: the paper's Table 3, in small.

The network is trained on Fashion-MNIST first, plainly or with SAM, and then on 100 of
scikit-learn's digits, plainly or with SAM: in all ways. The results are the test error
on digits, and what the network has forgotten: the test error on Fashion-MNIST, with its
former last layer. Batch norm keeps its statistics in the second phase, as in the paper.
"""

import itertools

import fashion_runs
import few_digits
import keras
import numpy as np
import results
from architectures.frozen import FrozenStatistics
from architectures.layers import classifier

import keras_sam

EPOCHS, BATCH_SIZE = 40, 20
# Frozen statistics leave small weights as they are, and so take small steps.
LEARNING_RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]
RHOS = [0.003, 0.01, 0.03, 0.1]
# What the second phase begins with. SAM has less weight decay, and so larger weights: with
# the same, plain training shows what is due to that.
FIRST = {
    "plain": {"rho": 0.0},
    "plain, SAM's weight decay": {**fashion_runs.SAM, "rho": 0.0},
    "SAM": fashion_runs.SAM,
}


def with_frozen_statistics(network):
    """A copy, whose batch norm keeps its statistics."""

    def copy(layer):
        kind = type(layer)
        if kind is keras.layers.BatchNormalization:
            kind = FrozenStatistics
        return kind.from_config(layer.get_config())

    copied = keras.models.clone_model(network, clone_function=copy)
    copied.set_weights(network.get_weights())
    return copied


def fine_tuned(first, source, seed, rho, learning_rate, validation):
    """Trains a copy of the network `first` on digits.

    Returns:
        Dict of the error on digits and on the first task's test images, in percent.
    """
    keras.utils.set_random_seed(seed)
    train, test = few_digits.load(seed, validation)
    before = with_frozen_statistics(first)
    features = before.layers[-2].output
    network = keras.Model(before.input, classifier(10)(features))
    model = keras_sam.SAMModel.from_model(network, rho=rho) if rho else network
    steps = EPOCHS * len(train) // BATCH_SIZE
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        scaled(train.images, source),
        train.labels,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        verbose=0,
    )
    return {
        "digits": error(network, test, source),
        "fashion": error(before, source.test, source),
    }


def scaled(images, source):
    return (images.astype("float32") / 255 - source.mean) / source.std


def error(network, part, source):
    """Of a network, in percent."""
    logits = network.predict(scaled(part.images, source), batch_size=512, verbose=0)
    return 100 * float(np.mean(logits.argmax(-1) != part.labels))


def run(experiment, seeds):
    """List of the results of all ways, and of what was tried to choose their settings.

    The learning rate is chosen for plain fine-tuning, then rho, by the mean of two seeds.

    Args:
        experiment: `Experiment` of the first phase.
        seeds: List of integers.
    """
    firsts = {
        (way, seed): experiment.trained(FIRST[way], seed)
        for way, seed in itertools.product(FIRST, seeds)
    }
    runs = []

    def error(settings, seed, validation=True):
        model, source = firsts[settings["first"], seed]
        rest = {name: value for name, value in settings.items() if name != "first"}
        found = fine_tuned(model, source, seed, **rest, validation=validation)
        runs.append({**settings, "seed": seed, "validation": validation, **found})
        print(runs[-1], flush=True)
        return found["digits"]

    for way in FIRST:
        tried = fashion_runs.grid(first=[way], rho=[0.0], learning_rate=LEARNING_RATES)
        plain = fashion_runs.chosen(tried, error, seeds)
        sam = fashion_runs.chosen([{**plain, "rho": rho} for rho in RHOS], error, seeds)
        for settings, seed in itertools.product((plain, sam), seeds):
            error(settings, seed, validation=False)
    return runs


def table(runs):
    """Markdown of the test errors of all ways, in percent."""
    lines = []
    for row in rows(runs):
        cells = [row["first"], "SAM" if row["rho"] else "plain"]
        cells += [f"{row['rho']:g}", f"{row['learning_rate']:g}"]
        same = [run for run in runs if all(run[name] == row[name] for name in row)]
        for task in ("digits", "fashion"):
            cells.append(results.mean_and_interval([run[task] for run in same]))
        lines.append(cells)
    head = ["first", "then", "rho", "learning rate", "digits", "Fashion-MNIST after"]
    return results.table(head, lines)


def rows(runs):
    """The tested settings, each once, as dicts."""
    names = "first", "rho", "learning_rate", "validation"
    tested = [tuple(run[name] for name in names) for run in runs if not run["validation"]]
    return [dict(zip(names, values)) for values in dict.fromkeys(tested)]

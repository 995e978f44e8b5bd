"""What plain training and SAM lose when Keras quantizes their network.

A network of dense layers on Fashion-MNIST, since `keras.Model.quantize` leaves convolutions
as they are. The learning rate and the weight decay are chosen for plain training, then rho
with this weight decay and with a quarter of it, by the error on validation images after the
last epoch. Then each is trained on all seeds, and tested as it is, and after
`quantize("int8")` and `quantize("int4")`.
"""

import itertools

import batches
import keras
import numpy as np
import results
from fashion_runs import chosen, grid, tuning
from settings import of

PLAIN = tuning(
    rho=[0.0],
    learning_rate=[0.003, 0.01, 0.03, 0.1],
    weight_decay=[5e-4, 2e-3, 8e-3, 3e-2],
)
RHOS = [0.02, 0.05, 0.1, 0.2, 0.5]
MODES = [None, "int8", "int4"]


def quantized(experiment, changes, seed, mode):
    """Test loss and error, in percent, of a run's network after `quantize(mode)`."""
    model, source = experiment.trained(changes, seed)
    if mode:
        model.quantize(mode, filters=lambda layer: isinstance(layer, keras.layers.Dense))
    test = batches.evaluation(source, of(experiment.recipe, changes))
    logits = model.predict(test, verbose=0)
    labels = source.test.labels
    loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return {
        "error": 100 * float(np.mean(logits.argmax(-1) != labels)),
        "loss": float(np.mean(keras.ops.convert_to_numpy(loss))),
    }


def run(experiment, seeds):
    """List of the results, and of what was tried to choose the settings.

    Args:
        experiment: `Experiment` of the recipe `fashion_mnist_mlp`.
        seeds: List of integers. The first two choose.
    """
    runs = []

    def error(changes, seed):
        found = results.errors(experiment.run(changes, seed))[-1]
        runs.append({**changes, "seed": seed, "error": found})
        print(runs[-1], flush=True)
        return found

    plain = chosen(PLAIN, error, seeds)
    decays = [plain["weight_decay"], plain["weight_decay"] / 4]
    tried = grid(rho=RHOS, weight_decay=decays)
    sam = chosen([plain | changes for changes in tried], error, seeds)
    for changes, seed, mode in itertools.product((plain, sam), seeds, MODES):
        changes = changes | {"validation": False}
        found = quantized(experiment, changes, seed, mode)
        runs.append({**changes, "seed": seed, "mode": mode, **found})
        print(runs[-1], flush=True)
    return runs


def table(runs):
    """Markdown of what is lost: means over the seeds, with 95 % intervals."""
    lines = []
    tested = [run for run in runs if "mode" in run]
    for rho in dict.fromkeys(run["rho"] for run in tested):
        at_rho = [run for run in tested if run["rho"] == rho]
        same = {mode: [run for run in at_rho if run["mode"] == mode] for mode in MODES}
        error = [run["error"] for run in same[None]]
        cells = ["SAM" if rho else "plain", f"{rho:g}", results.mean_and_interval(error)]
        for mode, what in (("int8", "error"), ("int4", "error"), ("int4", "loss")):
            more = [b[what] - a[what] for a, b in zip(same[None], same[mode])]
            cells.append(results.mean_and_interval(more))
        lines.append(cells)
    added = ["int8 adds", "int4 adds", "int4 adds to the loss"]
    return results.table(["training", "rho", "test error", *added], lines)

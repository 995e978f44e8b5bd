"""How flat are the minima that plain and sharpness-aware training find? In small.

    python examples/flatness.py --task=digits
    python examples/flatness.py --task=fashion --data_dir=/usr/share/datasets/fashion-mnist

What Foret et al. (2021) show in Figures 1 and 3, on networks without batch norm that a CPU
can train: the Hessian's spectrum at three epochs, the landscapes of the two models, the
test error against rho for several m, and how well m-sharpness orders all models by test
error.

The digits are scikit-learn's, with 40 % of their labels made random. Fashion-MNIST is 3,000
of its images, with the right labels (`apt-get install dataset-fashion-mnist` on Debian).
Learning rates and rho are those with the least error on other images, with labels as in
training; test images choose nothing. All settings are in flatness_tasks.py.

Each run is written to `--results` once it is done, and is not made again. Where all have
been made, the command prints the table and draws the picture alone.
"""

import json
import sys
from pathlib import Path

import keras
from absl import app, flags

# The modules of reproduce/ import each other by their names.
sys.path.append(str(Path(__file__).parent / "reproduce"))

import flatness_report
import flatness_tasks
import results

import keras_sam
from keras_sam import analysis

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "digits", [*flatness_tasks.TASKS], "What to learn.")
flags.DEFINE_string("data_dir", None, "Where the four files of Fashion-MNIST are.")
flags.DEFINE_string("results", None, "A JSON file. Default: flatness_<task>.json.")
flags.DEFINE_string("picture", None, "The picture. Default: flatness_<task>.png.")
flags.DEFINE_bool("smoke", False, "Whether to take few settings, epochs and examples.")

# Of the sharpness of all models: the radius, and the examples that share a perturbation.
RHO = 0.05
GROUPS = (1, 4, 16, 64, 0)


class Spectra(keras.callbacks.Callback):
    """Takes the Hessian's spectrum at the ends of some epochs."""

    def __init__(self, x, y, epochs):
        super().__init__()
        self.data, self.epochs, self.found = (x, y), epochs, []

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 not in self.epochs:
            return
        top = analysis.hessian_eigenvalues(
            self.model, *self.data, batch_size=256, verbose=0
        )
        density = analysis.hessian_density(
            self.model, *self.data, steps=30, draws=3, batch_size=256, verbose=0
        )
        self.found.append(
            {
                "epoch": epoch + 1,
                "values": top.values.tolist(),
                "residuals": top.residuals.tolist(),
                "nodes": [nodes.tolist() for nodes in density.nodes],
                "weights": [weights.tolist() for weights in density.weights],
            }
        )


def train(task, data, setting, seed, callbacks=()):
    """The compiled model, trained: plainly where rho is 0."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    x, y = data.train
    network = flatness_tasks.network(x.shape[1:])
    if setting["rho"]:
        rho, m = setting["rho"], setting["m"] or None
        model = keras_sam.SAMModel(*network, rho=rho, m=m)
    else:
        model = keras.Model(*network)
    steps = task.epochs * -(-len(x) // task.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(setting["learning_rate"], steps)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, task.batch_size, task.epochs, verbose=0, callbacks=list(callbacks))
    return model


def measured(model, task, data):
    """Errors in percent, and the sharpness for each m on some of the training examples."""
    found = {}
    for name, images in zip(("train", "validation", "test"), data):
        loss, accuracy = model.evaluate(*images, batch_size=256, verbose=0)
        found |= {f"{name}_loss": loss, f"{name}_error": 100 * (1 - accuracy)}
    x, y = (part[: task.measured] for part in data.train)
    found["sharpness"] = {
        str(m): analysis.sharpness(
            model, x, y, rho=RHO, m=m or None, draws=1, batch_size=256, verbose=0
        ).worst
        for m in GROUPS
    }
    return found


def looked_at(task, data, setting):
    """The spectra of a run at three epochs, and the landscape at its end."""
    x, y = (part[: task.measured] for part in data.train)
    spectra = Spectra(x, y, task.looks)
    model = train(task, data, setting, seed=0, callbacks=[spectra])
    landscape = analysis.loss_landscape(
        model, x, y, points=task.points, batch_size=256, verbose=0
    )
    return {
        "setting": setting,
        "spectra": spectra.found,
        "steps": landscape.steps.tolist(),
        "losses": landscape.losses.tolist(),
    }


def run(task, data, found, save):
    """Adds to `found` what is not there yet, and calls `save` after each run."""
    done = [(one["setting"], one["seed"]) for one in found["runs"]]
    for seed in range(task.seeds):
        for setting in task.settings:
            if (setting, seed) not in done:
                model = train(task, data, setting, seed)
                one = {"setting": setting, "seed": seed} | measured(model, task, data)
                found["runs"].append(one)
                error = f"{one['test_error']:.1f} % test error"
                print(f"{setting} seed={seed}: {error}", flush=True)
                save(found)
    for name, setting in flatness_report.chosen(found["runs"]).items():
        if found["models"].get(name, {}).get("setting") != setting:
            found["models"][name] = looked_at(task, data, setting)
            save(found)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    task = flatness_tasks.TASKS[FLAGS.task]
    if FLAGS.smoke:
        task = flatness_tasks.for_smoke(task)
    file = Path(FLAGS.results or f"flatness_{FLAGS.task}.json")
    try:
        data = task.load(FLAGS.data_dir)
    except (FileNotFoundError, ValueError) as error:
        raise app.UsageError(str(error)) from error
    found = results.environment("float32") | {
        "smoke": FLAGS.smoke,
        "runs": [],
        "models": {},
    }
    if file.exists():
        found = json.loads(file.read_text())
    if found["smoke"] != FLAGS.smoke:
        raise app.UsageError(
            "Runs with and without --smoke need files of their own: give another "
            f"`--results`. Received: --results={file}"
        )
    run(task, data, found, lambda found: results.write(file, found))
    print(flatness_report.table(found))
    picture = FLAGS.picture or f"flatness_{FLAGS.task}.png"
    flatness_report.draw(found, picture)
    print(f"Picture saved to {picture}")


if __name__ == "__main__":
    app.run(main)

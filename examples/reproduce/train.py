"""Trains a recipe: one of the paper's experiments, or one of ours.

    python examples/reproduce/train.py --recipe=cifar_wrn28_10 --dataset=cifar100 \\
        --augmentation=cutout --rho=0.1 --m=32 --strategy=mirrored
    python examples/reproduce/train.py --recipe=cifar_wrn28_10 --smoke

A recipe is a file in `recipes/`. Its settings are those of the paper; a flag changes one.
`--rho=0` trains plainly. The environment variable `KERAS_BACKEND` names the backend.

Each run writes a JSON file after each epoch, and its weights. The same command again goes
on where it was interrupted, as if it had not been, and leaves out the runs that are done.
"""

import importlib
import sys
from pathlib import Path

from absl import app, flags

# The flag `--strategy` is that of all examples.
sys.path.append(str(Path(__file__).parents[1]))

import results
import settings
import strategies
from experiment import Experiment

FLAGS = flags.FLAGS
RECIPES = sorted(p.stem for p in (Path(__file__).parent / "recipes").glob("[a-z]*.py"))

flags.DEFINE_enum("recipe", None, RECIPES, "What to train.", required=True)
flags.DEFINE_string("data_dir", None, "Where the data are, or are downloaded to.")
flags.DEFINE_string("output_dir", "results", "Where results and weights are written.")
flags.DEFINE_integer("seeds", 1, "Runs, with the seeds 0, 1, ...", lower_bound=1)
flags.DEFINE_bool("smoke", False, "Steps of a small network on a few made examples.")
flags.DEFINE_enum(
    "mixed_precision", None, ["bfloat16", "float16"], "The dtype to compute in."
)
flags.DEFINE_string("pretrained", None, "Weights to fine-tune from, a .weights.h5 file.")
flags.DEFINE_string("tensorboard", None, "A folder for the logs of TensorBoard.")
flags.DEFINE_integer("verbose", 2, "As of `fit`: 0 silent, 1 progress bar, 2 a line.")


def define_settings():
    """A flag for each setting. Without it, the setting is the recipe's."""
    for name, kind in settings.FIELDS.items():
        words = f"Setting of the recipe; see `{name}` in settings.py."
        if name in settings.CHOICES:
            flags.DEFINE_enum(name, None, settings.CHOICES[name], words)
        elif kind is bool:
            flags.DEFINE_bool(name, None, words)
        elif kind is str:
            flags.DEFINE_string(name, None, words)
        elif kind is int:
            flags.DEFINE_integer(name, None, words, lower_bound=0)
        else:
            flags.DEFINE_float(name, None, words, lower_bound=0.0)


define_settings()


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    try:
        strategy = strategies.make_strategy()
    except ValueError as error:
        raise app.UsageError(str(error)) from error
    given = {name: FLAGS[name].value for name in settings.FIELDS}
    changes = {name: value for name, value in given.items() if value is not None}
    experiment = Experiment(
        name=FLAGS.recipe,
        recipe=importlib.import_module(f"recipes.{FLAGS.recipe}"),
        folder=FLAGS.output_dir,
        data_dir=FLAGS.data_dir,
        pretrained=FLAGS.pretrained,
        strategy=strategy,
        is_chief=strategies.is_chief(strategy),
        smoke=FLAGS.smoke,
        dtype=f"mixed_{FLAGS.mixed_precision}" if FLAGS.mixed_precision else "float32",
        tensorboard=FLAGS.tensorboard,
        verbose=FLAGS.verbose,
    )
    try:
        experiment.check(changes)
    except ValueError as error:
        raise app.UsageError(str(error)) from error
    runs = [experiment.run(changes, seed) for seed in range(FLAGS.seeds)]
    if experiment.is_chief:
        print_summary(runs)


def print_summary(runs):
    """The test error after the last epoch, and at the best one."""
    print(f"Test error in percent, seeds: {len(runs)}")
    for name, choose in (("last", lambda errors: errors[-1]), ("best", min)):
        errors = [choose(results.errors(run)) for run in runs]
        print(f"{name} epoch: {results.mean_and_interval(errors)}")


if __name__ == "__main__":
    app.run(main)

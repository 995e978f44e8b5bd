"""What each way to climb costs, and what it buys: test accuracy against training time.

    python benchmarks/cost_of_generalization.py --task=digits
    python benchmarks/cost_of_generalization.py --task=fashion --data_dir=...
    python benchmarks/cost_of_generalization.py --task=fashion --data_dir=... --costs

A network learns scikit-learn's handwritten digits, or Fashion-MNIST: plainly, with
sharpness-aware minimization, and with each cheaper way to climb, for the same number of
epochs. The settings are those with the best accuracy on validation images, the mean over
seeds that are not those of the test: of plain training the learning rate or the weight
decay, and of each other method rho, and the best of those values or the next (or, where the
rate falls in another way, the one before). Costs are the seconds of `fit`'s epochs divided
by plain training's, the methods taking turns epoch by epoch: `--costs` times them, once all
is trained.

Each run goes to a JSON file as a line, once it is done, and is not made again. Several
processes may share the file, each with methods of its own.
"""

import functools
import itertools
import json
import math
from pathlib import Path

import keras
import numpy as np
from absl import app, flags
from cost_methods import METHODS
from cost_of_generalization_picture import save_picture
from cost_of_generalization_report import environments, print_table, summarize
from cost_schedules import Counted
from cost_tasks import TASKS, for_smoke
from cost_training import accuracy, make
from digits import EpochTimes

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "digits", [*TASKS], "What is learned.")
flags.DEFINE_string("data_dir", None, "Where the four files of Fashion-MNIST are.")
flags.DEFINE_integer("seeds", 10, "Number of runs of each method.", lower_bound=2)
flags.DEFINE_integer("tuning_seeds", 2, "Number of runs to choose a setting by.")
flags.DEFINE_multi_enum("method", [*METHODS], [*METHODS], "Only these.")
flags.DEFINE_bool("costs", False, "Time the methods, too.")
flags.DEFINE_string("results", None, "The file of the runs; defaults to the task's name.")
flags.DEFINE_bool("run", True, "Train; or only print and plot what the file has.")
flags.DEFINE_string("picture", "cost_of_generalization.png", "Where to save the picture.")
flags.DEFINE_bool("smoke", False, "Whether to take few examples and settings.")

# A setting with an accuracy so many points below the best gets no further seed.
FAR = 2


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Runs:
    """The lines of a file, and those that are still to be made."""

    def __init__(self, path, task):
        self.path, self.task = path, task

    def begin(self, environment):
        """Notes where the runs are made, in a file that has no others."""
        line = {"task": FLAGS.task, "smoke": FLAGS.smoke}
        for found in read(self.path) if self.path.exists() else []:
            if "task" in found and {name: found[name] for name in line} != line:
                raise app.UsageError(
                    "Other tasks, and runs with `--smoke`, need a file of their own: "
                    f"`--results`. Received: {self.path} with {found}"
                )
        self.write(line | {"environment": environment})

    def write(self, line):
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def accuracy(self, method, setting, seed, part):
        """Of the run, which is made first where it was not yet."""
        key = {"method": method, "setting": setting, "seed": seed, "part": part}
        for line in read(self.path):
            if {name: line.get(name) for name in key} == key:
                return line["accuracy"]
        train, validation, test = load(seed)
        other = test if part == "test" else validation
        found = accuracy(self.task, method, setting, seed, train, other)
        self.write(key | {"accuracy": round(found, 3)})
        print(f"{method}, {setting}, seed {seed}, {part}: {found:.2f} %", flush=True)
        return found


@functools.cache
def load(seed):
    data = TASKS[FLAGS.task].load(FLAGS.data_dir, seed)
    return for_smoke(data) if FLAGS.smoke else data


def tune(runs, name, values):
    """The setting with the best mean accuracy on validation data.

    As long as the best rho is the smallest or the largest, the grid goes on beyond it.
    """
    method = METHODS[name]
    axes = {runs.task.axis: values, **method.others}
    rhos = list(method.rhos)
    while True:
        grid = axes | {"rho": rhos} if rhos else axes
        settings = [
            dict(zip(grid, chosen)) | runs.task.setting
            for chosen in itertools.product(*grid.values())
        ]
        best = best_of(runs, name, settings[:2] if FLAGS.smoke else settings)
        if not rhos or FLAGS.smoke or best["rho"] not in (rhos[0], rhos[-1]):
            return best
        low = best["rho"] == rhos[0]
        rhos = [rhos[0] / 2, *rhos] if low else [*rhos, 2 * rhos[-1]]


def best_of(runs, name, settings):
    """With one seed after another, of the settings that are not far behind."""
    accuracies = [[] for _ in settings]
    left = range(len(settings))
    for seed in range(100, 100 + FLAGS.tuning_seeds):
        for i in left:
            accuracies[i].append(runs.accuracy(name, settings[i], seed, "tuning"))
        means = {i: np.mean(accuracies[i]) for i in left}
        left = [i for i in left if means[i] >= max(means.values()) - FAR]
    return settings[max(left, key=means.get)]


def measure(runs):
    """The setting of each method, once all runs are made."""
    chosen = {"plain": tune(runs, "plain", runs.task.values)}
    for method in FLAGS.method:
        if method not in chosen:
            chosen[method] = tune(runs, method, values_beside(runs.task, method, chosen))
        for seed in range(FLAGS.seeds):
            runs.accuracy(method, chosen[method], seed, "test")
    return chosen


def values_beside(task, method, chosen):
    """What a method tries: plain training's value and the next; where the learning rate
    falls in another way than there, the one before, too."""
    first = task.values.index(chosen["plain"][task.axis])
    usual = METHODS[method].decay == "cosine" or first < task.stride
    start = first if usual else first - task.stride
    return task.values[start : first + task.stride + 1 : task.stride]


def measure_costs(runs, settings):
    """Seconds of epochs from all of training, the methods taking turns."""
    task, (images, labels) = runs.task, load(0)[0]
    models = {}
    for name, setting in settings.items():
        keras.backend.clear_session()  # By their numbers layers are chosen for climbing.
        models[name] = make(task, name, setting, len(images))
    seconds = {method: [] for method in settings}
    times = EpochTimes()
    looks = range(0, task.epochs, math.ceil(task.epochs / 30))
    for i, epoch in enumerate([0, *looks]):  # The first time, TensorFlow compiles.
        for method, (model, epochs) in models.items():
            first = epoch * epochs // task.epochs
            model.fit(
                images,
                labels,
                batch_size=task.batch_size,
                initial_epoch=first,
                epochs=first + 1,
                callbacks=[times],
                verbose=0,
            )
            seconds[method] += [s * epochs / task.epochs for s in times.seconds if i]
    passes = {name: passes_of(models[name][0]) for name in models}
    counted = {name: value for name, value in passes.items() if value}
    runs.write({"seconds": seconds, "passes": counted})


def passes_of(model):
    """A step's, where the schedule has counted the steps that climb; else `None`."""
    schedule = getattr(model, "schedule", None)
    if not isinstance(schedule, Counted):
        return None
    # Nothing public says what a schedule remembers. What it reuses comes after its own.
    memory = model._sharpness_aware.memory.values()["schedule"]
    count = memory[len(schedule.init([])) - 1]
    return 1 + schedule.fraction * float(np.mean(count)) / int(model.optimizer.iterations)


def main(argv):
    import results

    paths = [Path(name) for name in argv[1:]]
    if FLAGS.run:
        paths = [Path(FLAGS.results or f"cost_of_generalization_{FLAGS.task}.jsonl")]
        runs = Runs(paths[0], TASKS[FLAGS.task])
        runs.begin(results.environment("float32"))
        settings = measure(runs)
        if FLAGS.costs:
            measure_costs(runs, settings)
    tables = {}
    for path in paths:
        lines = read(path)
        title = TASKS[lines[0]["task"]].title
        tables[title] = summarize(lines)
        print_table(title, environments(lines), tables[title])
    save_picture(tables, FLAGS.picture)


if __name__ == "__main__":
    app.run(main)

"""What `import keras_sam` adds to `import keras`, in seconds of one process's own CPU time.

    python benchmarks/import_time.py --rounds=15

Each round starts one process for each backend. The first round is not counted: it writes
the compiled files.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

GOALS = {"tensorflow": 0.1, "jax": 0.25, "torch": 0.1}
MEASURE = """
import resource

def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

import keras
before = used()
import keras_sam
print(before, used() - before)
"""


def seconds(backend):
    """Of `import keras`, and what `import keras_sam` adds."""
    root = str(Path(__file__).parents[1])
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": root,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", MEASURE]
    result = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    )
    return [float(word) for word in result.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--backends", nargs="+", default=list(GOALS), choices=list(GOALS))
    flags = parser.parse_args()

    runs = {backend: [] for backend in flags.backends}
    for _ in range(flags.rounds + 1):
        for backend, found in runs.items():
            found.append(seconds(backend))
    print("| backend | `import keras` | `import keras_sam` adds | goal |")
    print("|---|---|---|---|")
    for backend, found in runs.items():
        keras, ours = zip(*found[1:])
        low, middle, high = np.quantile(ours, (0.25, 0.5, 0.75))
        print(
            f"| {backend} | {np.median(keras):.2f} "
            f"| {middle:.3f} ({low:.3f} to {high:.3f}) | {GOALS[backend]} |"
        )


if __name__ == "__main__":
    main()

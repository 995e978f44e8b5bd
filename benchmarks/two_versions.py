"""What a sharpness-aware step costs in this checkout, against one in another.

    git worktree add ../before <commit>
    python benchmarks/two_versions.py --before=../before --backend=jax

Each version has a process of its own, and they step in turn. The figure is the median over
the rounds of the ratio of their times. The networks are those of `step_time.py`.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path

from absl import app, flags
from step_time import FLAGS, MODES, Run, on_backend

HERE = Path(__file__).parents[1]
flags.DEFINE_string("before", None, "The other checkout.", required=True)
flags.DEFINE_string("worker", None, "Network and mode that this process steps.")


class Version:
    """A process that steps a model by the package in a checkout."""

    def __init__(self, checkout, network, mode):
        self.process = subprocess.Popen(
            [sys.executable, *sys.argv, f"--worker={network} {mode}"],
            env=os.environ | {"PYTHONPATH": str(Path(checkout).resolve())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds_per_step(self):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def work():
    network, mode = FLAGS.worker.split()
    run = Run("sam", network, mode)
    for _ in sys.stdin:
        print(run.seconds_per_step(), flush=True)


def compare(network, mode):
    """The median ratio of the times of a step, now and before."""
    versions = [Version(checkout, network, mode) for checkout in (HERE, FLAGS.before)]
    for version in versions:
        version.seconds_per_step()  # Compiles.
    ratios = []
    for i in range(FLAGS.rounds):
        turn = versions if i % 2 else versions[::-1]
        seconds = {id(version): version.seconds_per_step() for version in turn}
        now, before = (seconds[id(version)] for version in versions)
        ratios.append(now / before)
    for version in versions:
        version.process.stdin.close()
        version.process.wait()
    return statistics.median(ratios)


def main(_):
    where = on_backend()
    if FLAGS.worker:
        work()
        return
    print(where)
    for network in FLAGS.network:
        for mode in FLAGS.mode or MODES[FLAGS.backend]:
            print(f"{network} {mode}: {compare(network, mode):.3f}")


if __name__ == "__main__":
    app.run(main)

"""What groups of m examples cost, against the sharpness-aware step without groups.

    python benchmarks/groups.py

Each m is timed in turn with the ungrouped step, a few steps each, and the figure is the
median over the rounds of the ratio of their times. The nodes are those of the compiled
step's graph; peak memory is that of a process of its own, over compiled steps.
"""

import itertools

import numpy as np
import tensorflow as tf
from absl import app, flags
from step_time import FLAGS, MODES, Run, on_backend, peak_megabytes, peak_of_steps

flags.DEFINE_multi_integer("m", [64, 32, 8], "Examples in a group.", lower_bound=1)
flags.DEFINE_bool("peak", False, "Print the peak memory for the first m only.")


def nodes(run):
    """Nodes in the graph of a step, those of all functions in it included."""
    step = tf.function(run.model.train_step)
    graph = step.get_concrete_function(next(run.data)).graph.as_graph_def()
    return sum(len(f.node_def) for f in graph.library.function) + len(graph.node)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    where = on_backend()
    if FLAGS.peak:
        run = Run("sam", FLAGS.network[0], FLAGS.mode[0], m=FLAGS.m[0])
        print(peak_of_steps(run))
        return
    print(where)
    print("| network | mode | m | ms | ratio to ungrouped | nodes | peak MB |")
    print("|---" * 7 + "|")
    for network, mode in itertools.product(
        FLAGS.network, FLAGS.mode or MODES[FLAGS.backend]
    ):
        sizes = [FLAGS.batch_size, *FLAGS.m]
        runs = [Run("sam", network, mode, m=m) for m in sizes]
        for run in runs * 2:
            run.seconds_per_step()
        times = np.array(
            [[run.seconds_per_step() for run in runs] for _ in range(FLAGS.rounds)]
        )
        for m, run, column in zip(sizes, runs, times.T):
            ratio = np.median(column / times[:, 0])
            peak = peak_megabytes(__file__, peak=True, network=network, mode=mode, m=m)
            print(
                f"| {network} | {mode} | {m} | {1000 * np.median(column):.1f} "
                f"| {ratio:.3f} | {nodes(run)} | {peak:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    app.run(main)

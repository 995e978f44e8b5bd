"""The `--strategy` flag of the examples."""

import tensorflow as tf
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "strategy",
    "none",
    ["none", "mirrored", "multi_worker", "tpu"],
    "Where to train: on one device, on all GPUs of this machine, on several machines "
    "(each with its `TF_CONFIG`), or on a TPU.",
)


def make_strategy():
    """What the flag names. To be called before TensorFlow runs anything."""
    if FLAGS.strategy == "mirrored":
        return tf.distribute.MirroredStrategy()
    if FLAGS.strategy == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if FLAGS.strategy == "tpu":
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    return tf.distribute.get_strategy()


def is_chief(strategy):
    """Whether this process is the one of several workers that prints and saves."""
    resolver = strategy.cluster_resolver
    return FLAGS.strategy != "multi_worker" or resolver.task_id in (None, 0)

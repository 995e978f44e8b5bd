"""The `--strategy` flag of the examples."""

import contextlib

import keras
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "strategy",
    "none",
    ["none", "mirrored", "multi_worker", "tpu", "data_parallel"],
    "Where to train: on one device; with TensorFlow on all GPUs of this machine, on "
    "several machines (each with its `TF_CONFIG`), or on a TPU; with JAX on all devices.",
)


def make_strategy():
    """What the flag names. To be called before the backend runs anything."""
    if FLAGS.strategy == "none":
        return OneDevice()
    needed = "jax" if FLAGS.strategy == "data_parallel" else "tensorflow"
    if keras.backend.backend() != needed:
        raise ValueError(f"--strategy={FLAGS.strategy} needs KERAS_BACKEND={needed}")
    if FLAGS.strategy == "data_parallel":
        return keras.distribution.DataParallel()
    import tensorflow as tf

    if FLAGS.strategy == "mirrored":
        return tf.distribute.MirroredStrategy()
    if FLAGS.strategy == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="")
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)


def is_chief(strategy):
    """Whether this process is the one of several workers that prints and saves."""
    if FLAGS.strategy != "multi_worker":
        return True
    return strategy.cluster_resolver.task_id in (None, 0)


class OneDevice:
    def scope(self):
        return contextlib.nullcontext()

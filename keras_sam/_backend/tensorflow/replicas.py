"""The replicas of a strategy, of which each has a call of the step, on TensorFlow."""

import contextlib

import tensorflow as tf


def replicas(model):
    strategy = tf.distribute.get_strategy() if model is None else model.distribute_strategy
    return strategy.num_replicas_in_sync


def average(tensors, count):
    """TensorFlow has no public mean over some of the replicas, only over all of them.

    So each group of replicas has a turn, in which the others contribute zeros.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if count == replicas:
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, tensors)
    group = context.replica_id_in_sync_group // count
    for turn in range(replicas // count):
        mine = tf.equal(group, turn)
        zeroed = [tf.where(mine, t / count, tf.zeros_like(t)) for t in tensors]
        means = context.all_reduce(tf.distribute.ReduceOp.SUM, zeroed)
        tensors = [tf.where(mine, mean, t) for mean, t in zip(means, tensors)]
    return tensors


def replica_index():
    return tf.distribute.get_replica_context().replica_id_in_sync_group


@contextlib.contextmanager
@tf.autograph.experimental.do_not_convert
def model_scope(model):
    """Out of the graph of a step that is being traced, where nothing could be kept."""
    with contextlib.ExitStack() as stack:
        if not in_replica():
            stack.enter_context(model.distribute_strategy.scope())
        stack.enter_context(tf.init_scope())
        yield


def in_replica():
    return tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()

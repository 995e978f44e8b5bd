"""Random numbers that are a function of a run's seed, and of where they are used.

A run that resumes at some epoch so draws what it would have drawn without a stop.
"""

import tensorflow as tf

# What is drawn from one seed for different ends has nothing in common.
ORDER, IMAGE, BATCH, NOISE, SUBSET = range(5)


def fold(seed, *numbers):
    """The seed that belongs to a seed and some numbers, a tensor of shape (2,)."""
    seed = tf.constant([seed, 0], tf.int64)
    for number in numbers:
        seed = tf.random.fold_in(seed, tf.cast(number, tf.int64))
    return seed

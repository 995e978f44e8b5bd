"""TensorFlow's global seed, from which those of operations and of `tf.data` come."""

import contextlib
import random

# `tf.random.set_seed` cannot be undone: there is no public name for the seed, and it drops
# the operations that have drawn, which then draw the same again.
from tensorflow.python.eager.context import context

from keras_sam._backend import generators


@contextlib.contextmanager
def seeding():
    eager = context()
    before = eager._seed, getattr(eager, "_rng", None)
    with generators.seeding() as seed_others:

        def seed(number):
            seed_others(number)
            eager._seed, eager._rng = number, random.Random(number)

        try:
            yield seed
        finally:
            eager._seed, eager._rng = before

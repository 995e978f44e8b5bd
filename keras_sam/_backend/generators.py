"""The global generators of random numbers: seeded for a while, and then as they were.

`keras.utils.set_random_seed` seeds them as well, but nothing puts them back: what it has
dropped is gone.
"""

import contextlib
import random

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR


@contextlib.contextmanager
def seeding():
    """Those of Python, NumPy and Keras. Within it, a function that seeds them."""
    python, numpy = random.getstate(), np.random.get_state()
    before = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    # One for all the time: a compiled step may have taken hold of its variable.
    own = keras.random.SeedGenerator(0, name="global_seed_generator")
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, own)

    def seed(number):
        random.seed(number)
        np.random.seed(number)
        own.state.assign([number, 0])

    try:
        yield seed
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, before)

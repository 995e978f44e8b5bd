"""The global generators of random numbers: seeded for a while, kept, and set back.

`keras.utils.set_random_seed` seeds them as well, but nothing puts them back: what it has
dropped is gone.
"""

import contextlib
import random

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import global_seed_generator

# Where `keras.random` finds its seeds if given none. Keras 3.10 has no name for the string.
GLOBAL = "global_seed_generator"


@contextlib.contextmanager
def seeding():
    """Those of Python, NumPy and Keras. Within it, a function that seeds them."""
    python, numpy = random.getstate(), np.random.get_state()
    before = global_state.get_global_attribute(GLOBAL)
    # One for all the time: a compiled step may have taken hold of its variable.
    own = keras.random.SeedGenerator(0, name=GLOBAL)
    global_state.set_global_attribute(GLOBAL, own)

    def seed(number):
        random.seed(number)
        np.random.seed(number)
        own.state.assign([number, 0])

    try:
        yield seed
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        global_state.set_global_attribute(GLOBAL, before)


def generator_states():
    """What they would draw next, as JSON has it: those of Python, NumPy and Keras."""
    kind, numbers, *rest = np.random.get_state()
    own = keras.ops.convert_to_numpy(global_seed_generator().state.value)
    return {
        "python": random.getstate(),
        "numpy": [kind, numbers.tolist(), *rest],
        "keras": own.tolist(),
    }


def set_generator_states(states):
    """Sets them back."""
    version, numbers, rest = states["python"]
    random.setstate((version, tuple(numbers), rest))
    np.random.set_state(tuple(states["numpy"]))
    global_seed_generator().state.assign(states["keras"])

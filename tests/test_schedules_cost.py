"""The passes of a step that run, by its schedule, and what the logs can show."""

import keras
import pytest
from keras import layers

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.helpers import BACKEND, MODES
from tests.models import classify, rows
from tests.rules import SOME

COMPILED = [m for m in MODES if not m.get("jit_compile")]


class Counted(layers.Layer):
    """Tells of each pass that runs, and of how many rows it is."""

    def __init__(self, seen):
        super().__init__()
        self.tell = seen.append  # Of a list, Keras would make one of its own.

    def call(self, x):
        size = x.shape[0]
        if BACKEND == "tensorflow":
            import tensorflow as tf

            tf.py_function(lambda n: self.tell(int(n)), [tf.shape(x)[0]], [])
        elif BACKEND == "jax":
            import jax

            if isinstance(size, int):  # Not in the pass by which Keras finds shapes.
                jax.debug.callback(lambda: self.tell(size))
        else:
            self.tell(size)
        return x


def passes(steps=4, mode=None, **settings):
    """Of each step, the numbers of rows of its passes."""
    seen, counts = [], []
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,), batch_size=8)
    outputs = layers.Dense(3)(Counted(seen)(layers.Dense(4)(inputs)))
    model = classify(keras_sam.SAMModel(inputs, outputs, rho=0.1, **settings), **mode or {})
    x, y = rows(8)
    for _ in range(steps):
        seen.clear()
        logs = model.train_on_batch(x, y, return_dict=True)
        if BACKEND == "jax":
            import jax

            jax.effects_barrier()
        counts.append(list(seen))
    return counts, logs


EVERY = {
    "plain": ({"schedule": schedules.Every(2)}, [8]),
    "reused": ({"schedule": schedules.Every(2, reuse=0.7)}, [8]),
    "fraction": ({"schedule": schedules.Every(2, fraction=0.25)}, [8]),
    "both": ({"schedule": schedules.Every(2, reuse=0.7, fraction=0.25)}, [8]),
    "two gradients": (
        {"schedule": schedules.Every(2, fraction=0.25), "descent": descents.GSAM()},
        [8],
    ),
    "several steps": (
        {"schedule": schedules.Every(2, fraction=0.25), "ascent": ascents.LpBall(steps=2)},
        [8],
    ),
    "remembers": (
        {"schedule": schedules.Every(2, fraction=0.25), "ascent": ascents.Averaged()},
        [2, 8],
    ),
    "remembers s": (
        {"schedule": schedules.Every(2, fraction=0.25), "ascent": ascents.LastStep()},
        [8],
    ),
}


@pytest.mark.parametrize("mode", COMPILED)
@pytest.mark.parametrize("name", EVERY)
def test_the_passes_that_run(name, mode):
    settings, plain = EVERY[name]
    # The first step may also check what the layers can reach, which is a pass.
    _, *counts = passes(mode=mode, **settings)[0]
    some = settings["schedule"].fraction < 1
    climbs = {"remembers s": [8], "several steps": [2, 2, 8]}
    climbs = climbs.get(name, [2, 8] if some else [8, 8])
    assert [sorted(c) for c in counts] == [plain, climbs, plain]


def test_an_adaptive_one_looks_at_the_fraction_of_each_step():
    _, *counts = passes(schedule=schedules.Adaptive(c=1e6, fraction=0.25))[0]
    assert [sorted(c) for c in counts] == [[2, 8]] * 3


@pytest.mark.parametrize("name", SOME)
def test_the_logs_have_a_sharpness_where_it_is_known(name):
    for fraction in (1.0, 0.5):
        for reuse in (None, 0.5):
            schedule = SOME[name](fraction=fraction, reuse=reuse)
            logs = passes(steps=2, schedule=schedule)[1]
            assert ("sharpness" in logs) is (fraction == 1)

"""JAX without jit: a step after the first compiles nothing, as in plain `fit`."""

import functools

import keras
import pytest

import keras_sam
from keras_sam import ascents, schedules
from tests.helpers import only_on
from tests.models import classify, rows, small
from tests.rules import rules

pytestmark = only_on("jax", "The other backends compile no part of an eager step.")
SETTINGS = {
    "ball": {},
    "second order": {"second_order": True, "schedule": schedules.Every(2)},
    "groups": {"m": 4, **rules("friendly")},
    "look": rules("adaptive", "gsam", "look"),
    "p of 3": {"ascent": ascents.LpBall(3), "schedule": schedules.Adaptive()},
}


@functools.cache
def events():
    """The compilations from now on: not every version of JAX can end to listen."""
    import jax

    names = []

    def listen(name, seconds, **kwargs):
        if name.endswith("backend_compile_duration"):
            names.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return names


@pytest.fixture
def compilations():
    import jax

    heard = events()
    heard.clear()
    jax.jit(lambda x: x + 1)(1.0)
    assert heard  # Whatever tests before this one have compiled.
    heard.clear()
    return heard


@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_is_compiled_anew(compilations, name):
    model = keras_sam.SAMModel(*small(), **SETTINGS[name])
    classify(model, run_eagerly=True)
    model.fit(*rows(), batch_size=8, epochs=2, shuffle=False, verbose=0)
    compilations.clear()
    model.fit(*rows(), batch_size=8, epochs=2, shuffle=False, verbose=0)
    assert not compilations


def test_loss_scaling_compiles_what_keras_compiles(compilations):
    keras.config.set_dtype_policy("mixed_float16")
    counts = []
    for cls in (keras.Model, keras_sam.SAMModel):
        model = classify(cls(*small()), run_eagerly=True)
        model.fit(*rows(), batch_size=8, epochs=2, verbose=0)
        compilations.clear()
        model.fit(*rows(), batch_size=8, epochs=2, verbose=0)
        counts.append(len(compilations))
    assert counts[0] == counts[1]

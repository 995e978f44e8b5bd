"""Every setting can be set at any time, and the next step is by the new one."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.helpers import array, assert_identical, long_on, state
from tests.models import classify, rows, small

pytestmark = long_on("jax")

VALUES = {
    "m": 4,
    "ascent": lambda: ascents.Adaptive(),
    "descent": lambda: descents.GSAM(),
    "schedule": lambda: schedules.Every(2, reuse=0.5),
    "second_order": True,
}


def value(name):
    given = VALUES[name]
    return given() if callable(given) else given


def model(**settings):
    keras.utils.set_random_seed(1)
    return classify(keras_sam.SAMModel(*small(), rho=0.2, **settings))


def fit(model, **kwargs):
    return model.fit(*rows(), batch_size=8, shuffle=False, verbose=0, **kwargs)


@pytest.mark.parametrize("name", VALUES)
def test_a_setting_is_as_if_given_at_first(name):
    changed = model()
    setattr(changed, name, value(name))
    given = model(**{name: value(name)})
    for each in (changed, given):
        fit(each)
    assert_identical(changed.get_weights(), given.get_weights())
    other = model()
    fit(other)
    assert any(np.any(a != b) for a, b in zip(other.get_weights(), given.get_weights()))


@pytest.mark.parametrize("name", VALUES)
def test_from_a_callback(name):
    class Sets(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                setattr(self.model, name, value(name))

    changed = model()
    fit(changed, callbacks=[Sets()])
    by_hand = model()
    x, y = rows()
    for i in range(0, 24, 8):
        by_hand.train_on_batch(x[i : i + 8], y[i : i + 8])
        if i == 0:
            setattr(by_hand, name, value(name))
    assert_identical(changed.get_weights(), by_hand.get_weights(), rtol=1e-6)


@pytest.mark.parametrize("name", ["m", "descent", "second_order", "schedule"])
def test_what_the_ascent_remembers_stays(name):
    remembering = model(ascent=ascents.Averaged(0.25))
    fit(remembering)
    before = [array(v) for v in remembering._sharpness_aware.memory.variables["ascent"]]
    setattr(remembering, name, value(name))
    after = remembering._sharpness_aware.memory.variables["ascent"]
    assert_identical([array(v) for v in after], before)
    fit(remembering)


def test_a_setting_that_cannot_be():
    changed = model(m=2)
    fit(changed)
    before = state(changed)
    for name, wrong in (("m", 64), ("m", 0), ("ascent", "l2"), ("schedule", 5)):
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            setattr(changed, name, wrong)
    assert changed.m == 2 and isinstance(changed.ascent, ascents.LpBall)
    assert_identical(state(changed), before)
    fit(changed)

"""Any ascent goes with any descent, any schedule and groups."""

import itertools

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import BACKEND, assert_identical, state
from tests.models import classify, rows, small
from tests.rules import ASCENTS, DESCENTS, SCHEDULES, possible, rules

PARTS = ASCENTS, DESCENTS, SCHEDULES
PRODUCT = [names for names in itertools.product(*PARTS) if possible(*names)]


def combinations():
    """All of them. Those that have no part for the first time are long tests."""
    seen = set()
    order = sorted(itertools.product(*map(range, map(len, PARTS))), key=_spread)
    for indices in order:
        names = [list(part)[i] for part, i in zip(PARTS, indices)]
        if not possible(*names):
            continue
        new = {*enumerate(names)} - seen
        seen |= new
        yield pytest.param(*names, marks=[] if new else pytest.mark.slow)


def _spread(indices):
    """The diagonal first."""
    first, *others = indices
    return sum(first % len(part) != i for part, i in zip(PARTS[1:], others))


@pytest.mark.parametrize("ascent, descent, schedule", list(combinations()))
def test_every_combination_trains_and_is_saved(ascent, descent, schedule, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras_sam.SAMModel(*small(), **rules(ascent, descent, schedule))
    jit = {"jit_compile": True} if BACKEND == "tensorflow" else {}
    classify(model, **jit)
    before = model.get_weights()
    model.fit(*rows(), batch_size=8, epochs=2, shuffle=False, verbose=0)
    after = model.get_weights()
    assert all(np.isfinite(w).all() for w in after)
    assert not any(np.array_equal(a, b) for a, b in zip(after[:2], before[:2]))

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for name in ("ascent", "descent", "schedule"):
        configs = [
            keras.saving.serialize_keras_object(getattr(m, name)) for m in (model, loaded)
        ]
        assert configs[0] == configs[1]
    for each in (model, loaded):
        each.fit(*rows(), batch_size=8, initial_epoch=2, epochs=3, shuffle=False, verbose=0)
    assert_identical(state(loaded), state(model), rtol=1e-5)


@pytest.mark.parametrize("ascent, descent, schedule", PRODUCT[::45])
def test_with_groups(ascent, descent, schedule):
    """m of the whole batch is the step without groups, and a smaller one is another."""
    results = []
    for m in (None, 8, 4):
        keras.utils.set_random_seed(1)
        model = keras_sam.SAMModel(*small(), m=m, **rules(ascent, descent, schedule))
        classify(model, **({"run_eagerly": True} if BACKEND == "tensorflow" else {}))
        model.fit(*rows(16), batch_size=8, shuffle=False, verbose=0)
        results.append(state(model))
    assert_identical(results[1], results[0])
    assert all(np.isfinite(w).all() for w in results[2])
    assert not np.array_equal(results[2][0], results[0][0])

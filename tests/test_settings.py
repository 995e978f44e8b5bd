"""The settings: frozen, and their defaults said in one place."""

import dataclasses
import inspect

import keras
import pytest

import keras_sam
from keras_sam._model.settings import SETTINGS, Settings, deserialized, is_default
from tests.models import small


@pytest.mark.parametrize(
    "function",
    [keras_sam.SharpnessAware, keras_sam.SAMModel, keras_sam.SAMModel.from_model],
)
def test_signatures_have_the_defaults(function):
    parameters = inspect.signature(function).parameters
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    named = {n: p for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert {name: p.default for name, p in named.items()} == defaults
    assert all(p.annotation is not p.empty for p in named.values())


def test_they_are_frozen():
    settings = Settings(rho=0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.rho = 0.2
    assert (settings.replaced(m=4).m, settings.replaced(m=4).rho, settings.m) == (
        4,
        0.1,
        None,
    )


def test_a_model_that_is_set_has_others():
    model = keras_sam.SAMModel(*small())
    before = model._sharpness_aware.settings
    model.m = 4
    assert (before.m, model.m) == (None, 4)


@pytest.mark.parametrize("from_model", [False, True])
@pytest.mark.parametrize("lacking", SETTINGS)
def test_an_older_file_lacks_one(from_model, lacking):
    given = {
        "rho": 0.1,
        "m": 2,
        "ascent": keras_sam.ascents.Adaptive(),
        "descent": keras_sam.descents.GSAM(),
        "schedule": keras_sam.schedules.Every(2),
        "second_order": True,
    }
    model = keras_sam.SAMModel(*small(), **given)
    if from_model:
        model = keras_sam.SAMModel.from_model(keras.Model(*small()), **given)
    config = model.get_config()
    del config[lacking]
    loaded = keras_sam.SAMModel.from_config(config)
    assert is_default(lacking, getattr(loaded, lacking))
    kept = [n for n in given if n != lacking]
    assert not any(is_default(name, getattr(loaded, name)) for name in kept)
    assert deserialized(config).keys() == set(SETTINGS) - {lacking}

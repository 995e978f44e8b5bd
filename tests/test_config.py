"""Configs: of files that lack a setting, of parts that are not registered, of presets."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from keras_sam import ascents, schedules
from tests.files.make import FORMS, SharpTask, tensors
from tests.helpers import long_on

pytestmark = long_on("jax")

DEFAULTS = {"rho": 0.05, "m": None, "second_order": False}
ALL = {"rho": 0.3, "m": 4, "second_order": True, "schedule": schedules.Every(2)}


class Mine(ascents.Ascent):
    """Not registered."""


class MySchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate

    def get_config(self):
        return {"rate": self.rate}


class MyDense(layers.Dense):
    pass


def is_kernel(variable):
    return "kernel" in variable.path


def without(config, name):
    """As it was before there was this setting, and after a way through JSON."""
    config = json.loads(json.dumps(config))
    del config[name]
    return config


@pytest.mark.parametrize(
    "name", ["rho", "m", "ascent", "descent", "schedule", "second_order"]
)
@pytest.mark.parametrize("form", ["functional", "functional_subclass", "from_sequential"])
def test_a_config_without_a_setting(form, name):
    model = FORMS[form](**ALL)
    loaded = type(model).from_config(without(model.get_config(), name))
    fresh = FORMS[form]()
    for setting in ("rho", "m", "second_order"):
        expected = getattr(fresh if setting == name else model, setting)
        assert getattr(loaded, setting) == expected
    for setting in ("ascent", "descent", "schedule"):
        expected = getattr(fresh if setting == name else model, setting)
        assert type(getattr(loaded, setting)) is type(expected)


OBJECTS = {"Mine": Mine, "MySchedule": MySchedule, "MyDense": MyDense}


@pytest.mark.parametrize("cls", [keras_sam.SAMModel, SharpTask])
@pytest.mark.parametrize("from_model", [True, False])
def test_custom_objects(cls, from_model):
    inputs = keras.Input((5,))
    outputs = MyDense(3)(inputs)
    settings = {"rho": MySchedule(0.3), "ascent": Mine("kernel")}
    if from_model:
        model = cls.from_model(keras.Model(inputs, outputs), **settings)
    else:
        model = cls(inputs, outputs, **settings)
    with pytest.raises(TypeError, match="Could not locate class"):
        cls.from_config(model.get_config())
    loaded = cls.from_config(model.get_config(), custom_objects=OBJECTS)
    assert type(loaded.rho) is MySchedule and loaded.rho.rate == 0.3
    assert type(loaded.ascent) is Mine and loaded.ascent.variables.paths == ["kernel"]
    assert type(loaded.layers[1]) is MyDense
    as_json = keras.models.model_from_json(model.to_json(), custom_objects=OBJECTS)
    assert type(as_json.ascent) is Mine


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"ascent": Mine()}, "Mine"),
        ({"rho": MySchedule(0.1)}, "MySchedule"),
        ({"ascent": ascents.LpBall(variables=is_kernel)}, "is_kernel"),
    ],
)
@pytest.mark.parametrize("form", ["functional", "from_sequential"])
def test_what_is_not_registered_says_so_when_it_is_saved(form, settings, name, tmp_path):
    model = FORMS[form](**settings)
    objects = {**OBJECTS, "is_kernel": is_kernel}
    with pytest.warns(UserWarning, match=rf"register_keras_serializable.*\['{name}'\]"):
        model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects=objects)
    assert type(loaded.ascent) is type(model.ascent)
    with keras.saving.custom_object_scope(objects):
        model.save(tmp_path / "model.keras")


@pytest.mark.parametrize("form", ["functional", "sequential", "from_subclassed"])
def test_a_legacy_file_says_so_when_it_is_saved(form, tmp_path):
    model = FORMS[form]()
    with pytest.warns(
        UserWarning, match=r"Of an `.h5` file.*model.save\(\"model.keras\"\)"
    ):
        model.save(tmp_path / "model.h5")
    with pytest.warns(UserWarning, match=r"Of an `.h5` file"):
        keras.saving.save_model(model, tmp_path / "model.h5")


def test_a_legacy_file_loads_with_custom_objects(tmp_path):
    model = FORMS["functional"](**ALL)
    with pytest.warns(UserWarning, match="`custom_objects`"):
        model.save(tmp_path / "model.h5")
    objects = {"SAMModel": keras_sam.SAMModel}
    loaded = keras.models.load_model(tmp_path / "model.h5", custom_objects=objects)
    assert loaded.rho == 0.3 and loaded.m == 4
    for a, b in zip(loaded.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_class_that_keeps_a_setting_to_itself():
    class Own(keras_sam.SAMModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, rho=0.2, **kwargs)

    model = Own(*tensors(), m=4)
    loaded = Own.from_config(model.get_config())
    assert (loaded.rho, loaded.m) == (0.2, 4)

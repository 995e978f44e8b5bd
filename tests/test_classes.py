"""Classes that are made of a model's: found by their name, and gone with their models."""

import gc
import pickle
import weakref

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.files.make import SharpTask, tensors
from tests.helpers import long_on

pytestmark = long_on("jax")


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(8, 5)).astype("float32"), rng.normal(size=(8, 3))


def train(model):
    model.compile("sgd", "mse", run_eagerly=keras.backend.backend() != "jax")
    model.fit(*data(), verbose=0)
    return model


def local_class(base=keras.Model):
    class Local(base):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    return Local


def from_model():
    cls = local_class()
    model = train(keras_sam.SAMModel.from_model(cls()))
    model.get_config()
    return [type(model), cls]


def from_model_of_a_subclass():
    class Own(keras_sam.SAMModel):
        pass

    model = train(Own.from_model(keras.Sequential([layers.Dense(3)])))
    return [type(model), Own]


def subclass():
    model = train(local_class(keras_sam.SAMModel)(rho=0.1))
    return [type(model)]


@pytest.mark.parametrize("make", [from_model, from_model_of_a_subclass, subclass])
def test_a_class_goes_with_its_last_model(make):
    gc.unfreeze()  # Or what this test makes would not be looked at.
    classes = [weakref.ref(cls) for cls in make()]
    keras.backend.clear_session()
    gc.collect()
    assert [cls() for cls in classes] == [None] * len(classes)


def test_the_registry_finds_the_class_that_was_registered(tmp_path):
    models = [
        keras_sam.SAMModel.from_model(keras.Sequential([layers.Dense(3)])),
        SharpTask.from_model(keras.Model(*tensors())),
        keras_sam.SAMModel(*tensors()),
    ]
    for model in models:
        train(model).save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        copied = pickle.loads(pickle.dumps(model))
        for other in (loaded, copied):
            assert [c.__name__ for c in type(other).__mro__] == [
                c.__name__ for c in type(model).__mro__
            ]
    for cls in (keras_sam.SAMModel, SharpTask):
        name = keras.saving.get_registered_name(cls)
        assert keras.saving.get_registered_object(name) is cls
    assert type(models[1]).__mro__[1] is SharpTask


def test_a_class_is_named_as_long_as_one_of_its_models_lives():
    source = keras.Sequential([layers.Dense(3)])
    model, other = (keras_sam.SAMModel.from_model(source) for _ in range(2))
    del other
    gc.collect()
    config = keras.saving.serialize_keras_object(model)
    assert config["registered_name"] == "keras_sam>SAMModel"

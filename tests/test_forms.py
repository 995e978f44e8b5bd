"""Functional, subclassed, from a model, and the mixin: one process, all of them."""

import keras
import pytest
from keras import layers

import keras_sam
from tests.helpers import assert_identical, state
from tests.models import (
    classify,
    cnn,
    functional,
    sequential,
    subclassed,
    unbuilt_sequential,
    unbuilt_subclassed,
)

MODELS = [functional, sequential, unbuilt_sequential, subclassed, unbuilt_subclassed]


@pytest.mark.parametrize("make", MODELS)
def test_from_model_trains_the_model_itself(images, make, tmp_path):
    keras.utils.set_random_seed(1)
    plain = make()
    keras.utils.set_random_seed(1)
    source = make()
    model = keras_sam.SAMModel.from_model(source, rho=0.0)
    assert isinstance(model, keras_sam.SAMModel) and isinstance(model, type(source))
    for each in (plain, model):
        keras.utils.set_random_seed(2)
        classify(each)
    histories = []
    for each in (plain, model):
        keras.utils.set_random_seed(2)
        histories.append(each.fit(*images, batch_size=16, verbose=0).history)
    assert histories[1].pop("sharpness") == [0.0]
    assert histories[0] == histories[1]
    assert_identical(state(model), state(plain))
    # The user's model holds the trained weights, and is as plain as it was.
    assert all(a is b for a, b in zip(source.variables, model.variables))
    assert not source.compiled and not isinstance(source, keras_sam.SharpnessAware)
    assert source.count_params() == plain.count_params()
    source.save(tmp_path / "plain.keras")
    loaded = keras.models.load_model(tmp_path / "plain.keras")
    assert type(loaded) is type(source)
    expected = plain.predict(images[0], verbose=0)
    for each in (source, model, loaded):
        assert_identical([each.predict(images[0], verbose=0)], [expected])


def test_from_model_leaves_the_training_state_of_the_model_alone(images):
    source = classify(functional())
    source.fit(*images, verbose=0)
    model = keras_sam.SAMModel.from_model(source, rho=5.0)
    assert not model.compiled and not hasattr(model, "optimizer")
    classify(model, "adam").fit(*images, verbose=0)
    assert isinstance(source.optimizer, keras.optimizers.SGD)
    assert "sharpness" not in source.fit(*images, verbose=0).history
    assert "sharpness" in model.fit(*images, verbose=0).history


def test_functional_and_subclassed_side_by_side(images):
    class Own(keras_sam.SAMModel):
        def __init__(self):
            super().__init__(rho=0.1)
            self.stack = keras.Sequential([layers.Flatten(), layers.Dense(3)])

        def call(self, x):
            return self.stack(x)

    class Task(keras_sam.SAMModel):
        pass

    class Mixed(keras_sam.SharpnessAware, keras.Model):
        pass

    class Stack(keras_sam.SharpnessAware, keras.Sequential):
        pass

    for make in (
        lambda: keras_sam.SAMModel(*cnn(), rho=0.1),
        Own,
        lambda: Task(*cnn(), rho=0.1),
        lambda: Mixed(*cnn(), rho=0.1),
        lambda: Stack([layers.Flatten(), layers.Dense(3)], rho=0.1),
        lambda: keras_sam.SAMModel(inputs=(c := cnn())[0], outputs=c[1], rho=0.1),
        Own,
    ):
        model = classify(make())
        assert model.rho == 0.1
        assert model.fit(*images, verbose=0).history["sharpness"][0] > 0
        assert isinstance(model, keras_sam.SharpnessAware)


def test_a_model_class_with_its_own_fit(images):
    class Task(keras.Model):
        def fit(self, x, **kwargs):
            return super().fit(x["x"], x["y"], **kwargs)

    class SharpTask(keras_sam.SharpnessAware, Task):
        pass

    model = classify(SharpTask(*cnn(), rho=0.1))
    history = model.fit({"x": images[0], "y": images[1]}, verbose=0).history
    assert history["sharpness"][0] > 0


def test_a_train_step_that_would_be_replaced():
    class Own(keras.Model):
        def train_step(self, data):
            return super().train_step(data)

    message = r"`Own` has a `train_step` of its own.*Received: bases="
    with pytest.raises(ValueError, match=message):

        class Replaced(keras_sam.SharpnessAware, Own):
            pass

    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel.from_model(Own(*cnn()))

    class Kept(Own, keras_sam.SAMModel):
        pass

    assert Kept.train_step is Own.train_step


def test_the_model_has_no_weights_and_no_parameters_of_its_own(images):
    plain, model = keras.Model(*cnn()), keras_sam.SAMModel(*cnn())
    assert len(model.variables) == len(plain.variables)
    assert model.count_params() == plain.count_params()
    names = [m.name for m in classify(plain).metrics]
    assert [m.name for m in classify(model).metrics] == [*names, "sharpness"]

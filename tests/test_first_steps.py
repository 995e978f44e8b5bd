"""The first thing that people type: of a mistake the error says what to type instead."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from keras_sam import ascents, schedules
from tests.helpers import BACKEND, assert_identical, long_on
from tests.models import classify, cnn, rows, small

pytestmark = long_on("jax")

MODEL = r"`SAMModel.from_model\(model, rho=...\)`"
LAYERS = r"`SAMModel.from_model\(keras.Sequential\(layers\), rho=...\)`"


def plain():
    return keras.Model(*small())


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: keras_sam.SAMModel(plain(), rho=0.05), MODEL),
        (lambda: keras_sam.SAMModel(plain()), MODEL),
        (lambda: keras_sam.SAMModel(plain(), 0.05), MODEL),
        (lambda: keras_sam.SAMModel(model=plain()), MODEL),
        (lambda: keras_sam.SAMModel([layers.Dense(1)]), LAYERS),
        (lambda: keras_sam.SAMModel(layers=[layers.Dense(1)]), LAYERS),
        (lambda: keras_sam.SAMModel(*small(), 0.1), r"Name what .*SAMModel\(inputs, out"),
        (lambda: keras_sam.SAMModel(small()[0]), "A functional model needs both"),
    ],
)
def test_a_model_in_the_place_of_inputs(make, message):
    with pytest.raises(ValueError, match=message + ".*Received: "):
        make()


class TFKeras:
    """Stands for a model of Keras 2."""

    __module__ = "tf_keras.src.engine.functional"


@pytest.mark.parametrize(
    "model, message",
    [
        (
            lambda: keras_sam.SAMModel(*small()),
            "It is sharpness-aware already: set its `rho`",
        ),
        (lambda: keras.Sequential, r"Make a model of the class first: `Sequential\(...\)`"),
        (
            lambda: layers.Dense(1),
            r"Put the layer into a model: `keras.Sequential\(\[layer",
        ),
        (lambda: [layers.Dense(1)], r"Put the layers into a model: `keras.Sequential\(lay"),
        (TFKeras, "This is a model of Keras 2"),
        (lambda: None, "Make one with Keras 3"),
    ],
)
def test_from_model_of_something_else(model, message):
    with pytest.raises(ValueError, match=f"`model` must be .*{message}.*Received: model="):
        keras_sam.SAMModel.from_model(model())


def test_from_model_with_rho_by_position():
    message = r"name what comes after it.*from_model\(model, rho=0.1\).*Received: 0.1"
    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel.from_model(plain(), 0.1)


INSTEAD = {
    "adaptive": r"ascents.Adaptive\(\)",
    "num_batch_splits": "`m`, the number of examples in a split.*multiply the learning",
    "base_optimizer": "model.compile",
    "p": r"LpBall\(p=...\)",
    "roh": "There are rho, m, ascent, descent, schedule, second_order",
}


@pytest.mark.parametrize("name", INSTEAD)
def test_an_unknown_keyword(name):
    message = f"Unrecognized keyword.*{INSTEAD[name]}.*Received: {name}=True"
    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel(*small(), **{name: True})
    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel.from_model(plain(), **{name: True})


@pytest.mark.parametrize("name", ["rho", "m", "ascent"])
def test_a_setting_in_compile(name):
    model = keras_sam.SAMModel(*small())
    message = f"`{name}` is an argument of the model.*`model.{name}`.*Received: {name}=1"
    with pytest.raises(ValueError, match=message):
        model.compile("sgd", "mse", **{name: 1})


def test_a_model_that_compiles_by_rho():
    class Own(keras.Model):
        def compile(self, rho, **kwargs):
            super().compile(**kwargs)
            self.seen = rho

    class Sharp(keras_sam.SharpnessAware, Own):
        pass

    model = Sharp(*small())
    model.compile(rho=3, optimizer="sgd", loss="mse")
    assert model.seen == 3 and model.rho == 0.05


def test_no_optimizer():
    model = keras_sam.SAMModel(*small())
    model.compile(optimizer=None, loss="mse")
    before = model.get_weights()
    if BACKEND == "jax":
        expected = AttributeError, "variables"  # Keras reads its slots before our step.
    else:
        expected = ValueError, "Training needs an optimizer.*Received: optimizer=None"
    with pytest.raises(expected[0], match=expected[1]):
        model.fit(np.ones((8, 8)), np.ones((8, 3)), verbose=0)
    assert_identical(model.get_weights(), before)
    assert model.evaluate(np.ones((8, 8)), np.ones((8, 3)), verbose=0) > 0


@pytest.mark.parametrize(
    "schedule",
    [
        keras.optimizers.schedules.CosineDecay(0.1, 100),
        schedules.RhoByLearningRate(0.0, 0.1, 1.0),
    ],
)
def test_a_schedule_of_rho(schedule):
    message = f"A schedule of the radius is a `rho`: `rho={type(schedule).__name__}"
    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel(*small(), schedule=schedule)


def test_weights_that_are_no_rule():
    dense = layers.Dense(2)
    dense.build((None, 3))
    with pytest.raises(
        ValueError, match=r"Give the class of the layer, `Dense`.*Received: "
    ):
        ascents.LpBall(variables=dense)
    with pytest.raises(ValueError, match=r"regular expression .* none: .*Received: .*=\["):
        ascents.LpBall(variables="[")
    with pytest.raises(ValueError, match=r'Give its path, "dense') as raised:
        ascents.LpBall(variables=dense.weights)
    assert "[[" not in str(raised.value)
    with pytest.raises(ValueError, match=r"Received: variables=an array of shape=\(3, 2\)"):
        ascents.LpBall(variables=dense.get_weights())


def test_m_larger_than_the_batch():
    model = classify(keras_sam.SAMModel(*small(), m=64))
    message = "`m` must be at most the batch size, which is 8: .*`m=None` for the whole"
    with pytest.raises(ValueError, match=message):
        model.fit(*rows(24), batch_size=8, verbose=0)


def test_a_constructor_without_the_mixins():
    class NoInit(keras_sam.SAMModel):
        def __init__(self):
            # PyTorch's own modules say here that theirs has to come first.
            vars(self)["dense"] = layers.Dense(1)

    class Net(keras_sam.SharpnessAware, keras.Model):
        def __init__(self):
            keras.Model.__init__(self)

    class Nothing(keras_sam.SAMModel):
        def __init__(self):
            pass

    for cls in (Net, NoInit, Nothing):
        with pytest.raises(AttributeError, match=r"`N\w+` .*call `super\(\).__init__"):
            cls().compile("sgd", "mse")
    with pytest.raises(AttributeError, match="no attribute 'roh'"):
        print(keras_sam.SAMModel(*small()).roh)


def test_the_mixin_after_the_model_class():
    class Task(keras.Sequential):
        pass

    for base in (keras.Sequential, Task):
        message = r"has to come before .*`class Wrong\(SharpnessAware, .*Received: bases="
        with pytest.raises(ValueError, match=message):
            type("Wrong", (base, keras_sam.SharpnessAware), {})
    with pytest.raises(ValueError, match=r"`class Wrong\(SAMModel, Sequential\)`"):
        type("Wrong", (keras.Sequential, keras_sam.SAMModel), {})
    assert keras_sam.SAMModel(*cnn()).rho == 0.05

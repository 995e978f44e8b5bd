"""A model and the one that `from_model` makes of it: one model, and two trainings."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.helpers import BACKEND, long_on

pytestmark = long_on("jax")

EAGER = BACKEND != "jax"  # Else TensorFlow's compiler is what the tests wait for.


def x():
    return np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


def compiled(model):
    model.compile("sgd", "mse", run_eagerly=EAGER)
    return model


def fit(model):
    rows = x()
    width = model(rows).shape[1]
    compiled(model).fit(rows, np.ones((8, width)), verbose=0)


def built():
    return keras.Sequential([keras.Input((4,)), layers.Dense(6), layers.Dense(3)])


def unbuilt():
    return keras.Sequential([layers.Dense(6), layers.Dense(3)])


class Net(keras.Model):
    """Makes a weight in `build`, and reads an attribute in `call`."""

    scale = 1.0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.head = layers.Dense(3)

    def build(self, shape):
        self.head.build(shape)
        self.shift = self.add_weight(shape=(3,), initializer="ones")

    def call(self, x):
        return self.head(x) * self.scale + self.shift


def net():
    model = Net()
    model(x())
    return model


def another_head(model):
    model.pop()
    model.add(layers.Dense(5))


def one_more(model):
    model.add(layers.Dense(2))


def head(model):
    model.head = layers.Dense(2)
    model.head.build((None, 4))


def build(model):
    model.build((None, 4))


def scale(model):
    model.scale = 3.0


def freeze(model):
    model.trainable = False


def freeze_a_layer(model):
    model.layers[0].trainable = False


def low_rank(model):
    model.layers[0].enable_lora(2)


def load(model, path):
    other = keras.models.clone_model(model)
    other.save_weights(path)
    model.load_weights(path)


CHANGES = [
    *[(built, c) for c in (another_head, one_more, freeze, freeze_a_layer, low_rank)],
    *[(unbuilt, c) for c in (another_head, one_more, build)],
    *[(net, c) for c in (scale, freeze)],
    *[(Net, c) for c in (scale, build)],
]


@pytest.mark.parametrize("of_the_source", [True, False])
@pytest.mark.parametrize("is_used", [True, False])
@pytest.mark.parametrize("make, change", CHANGES)
def test_a_change_of_one_is_the_others(make, change, is_used, of_the_source):
    source = make()
    model = keras_sam.SAMModel.from_model(source, rho=0.1)
    if is_used and make in (built, net):
        fit(model)
        model.predict(x(), verbose=0)
        fit(source)
    change(source if of_the_source else model)
    if change is not freeze:
        fit(model)
    weights = [id(w) for w in model.weights]
    assert [id(w) for w in source.weights] == weights
    trainable = [id(w) for w in model.trainable_weights]
    assert [id(w) for w in source.trainable_weights] == trainable
    expected = keras.ops.convert_to_numpy(source(x()))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(x())), expected)
    for each in (compiled(model), compiled(source)):
        predicted = each.predict(x(), verbose=0)
        np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-6)


def test_the_weights_of_one_are_the_others(tmp_path):
    source = built()
    model = keras_sam.SAMModel.from_model(source)
    for each in (source, model):
        load(each, tmp_path / "its.weights.h5")
        for a, b in zip(source.get_weights(), model.get_weights()):
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")  # Keras's own.
def test_quantize():
    source = unbuilt()
    source.build((None, 4))
    model = keras_sam.SAMModel.from_model(source)
    compiled(model).predict(x(), verbose=0)
    model.quantize("int8")
    assert [w.dtype for w in model.weights].count("int8") == 2
    assert model.predict_function is None
    expected = source.predict(x(), verbose=0)
    np.testing.assert_allclose(model.predict(x(), verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize("make", [built, net])
@pytest.mark.parametrize("is_compiled", [True, False])
def test_the_training_of_one_is_not_the_others(make, is_compiled):
    """`trainer.STATE` has all that Keras's trainer sets."""
    source = make()
    if is_compiled:
        fit(source)
    model = keras_sam.SAMModel.from_model(source)
    before = dict(vars(source))
    y = np.ones((8, 3))
    compiled(model)
    data = {"validation_data": (x(), y), "epochs": 2}
    model.fit(x(), y, verbose=0, **data)
    model.evaluate(x(), y, verbose=0)
    model.predict(x(), verbose=0)
    model.train_on_batch(x(), y)
    model.test_on_batch(x(), y)
    model.predict_on_batch(x())
    model.rho = keras.optimizers.schedules.CosineDecay(0.1, 10)
    assert vars(source).keys() == before.keys()
    changed = {name for name in before if vars(source)[name] is not before[name]}
    assert changed <= {"_called", "training"}  # PyTorch's mode is that of the layers too.

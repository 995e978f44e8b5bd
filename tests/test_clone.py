"""A copy of a model, by whatever way Keras makes it, trains as the model does."""

import copy

import keras
import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.files.make import FORMS, Net, SharpNet, functional
from tests.helpers import BACKEND, long_on
from tests.models import rows

pytestmark = long_on("jax")

SETTINGS = {
    "rho": 0.4,
    "m": 4,
    "ascent": ascents.Friendly(0.5),
    "descent": descents.GSAM(0.2),
    "schedule": schedules.Every(2),
    "second_order": True,
}
CHEAP = {"rho": 0.4, "ascent": ascents.LpBall(3)}  # To compile, where it is trained.
EAGER = BACKEND != "jax"  # For two steps, TensorFlow's compiler takes long.
STACKED = [form for form in FORMS if form not in ("subclassed", "from_subclassed")]


def data():
    x, y = rows(16)
    return x[:, :5], y


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, run_eagerly=EAGER)
    model.optimizer.build(model.trainable_variables)
    return model


def train(model):
    model.fit(*data(), batch_size=8, shuffle=False, verbose=0)
    return model.get_weights()


def built(make, **settings):
    model = make(**settings)
    model(np.zeros((1, 5)))
    return model


def assert_alike(clone, model):
    """Settings as the model's, and layers of its own."""
    assert isinstance(clone, keras_sam.SharpnessAware)
    assert not set(map(id, clone.weights)) & set(map(id, model.weights))
    for name in SETTINGS:
        mine, theirs = getattr(clone, name), getattr(model, name)
        assert type(mine) is type(theirs)
        config = getattr(mine, "get_config", lambda mine=mine: mine)
        assert config() == getattr(theirs, "get_config", lambda theirs=theirs: theirs)()


def assert_trains_alike(clone, model):
    """The clone, compiled, from the weights of the model."""
    assert_alike(clone, model)
    clone.set_weights(model.get_weights())
    for a, b in zip(train(clone), train(model)):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_clone_model(form):
    model = built(FORMS[form], **SETTINGS)
    clone = keras.models.clone_model(model)
    assert_alike(clone, model)
    assert not clone.compiled
    assert_alike(keras.models.clone_model(compiled(model)), model)


@pytest.mark.parametrize("form", FORMS)
def test_a_clone_trains_as_the_model(form):
    model = compiled(built(FORMS[form], **CHEAP))
    assert_trains_alike(keras.models.clone_model(model), model)


@pytest.mark.parametrize("form", STACKED)
def test_clone_model_by_a_function(form):
    seen = []

    def clone_function(layer):
        seen.append(layer.name)
        return type(layer).from_config(layer.get_config())

    model = compiled(built(FORMS[form], **SETTINGS))
    clone = keras.models.clone_model(model, clone_function=clone_function)
    assert next(layer.name for layer in model.layers if layer.weights) in seen
    assert_alike(clone, model)
    assert clone.optimizer.momentum == 0.9


def test_a_model_within_a_clone():
    inner = compiled(built(FORMS["sequential"], **SETTINGS))
    outer = compiled(keras_sam.SAMModel(x := keras.Input((5,)), inner(x), rho=0.7))
    clone = keras.models.clone_model(outer, recursive=True)
    assert clone.rho == 0.7 and clone.layers[1].rho == 0.4
    assert keras.models.clone_model(outer.layers[1]).rho == 0.4


@pytest.mark.parametrize("from_model", [True, False])
def test_a_functional_class_with_a_constructor_of_its_own(from_model):
    """As KerasHub's tasks are. Keras makes a plain functional model of them."""

    class Task(keras.Model if from_model else keras_sam.SAMModel):
        def __init__(self, units, **kwargs):
            inputs = keras.Input((5,))
            outputs = keras.layers.Dense(units)(inputs)
            super().__init__(inputs=inputs, outputs=outputs, **kwargs)

    if from_model:
        model = keras_sam.SAMModel.from_model(Task(3), **CHEAP)
    else:
        model = Task(3, **CHEAP)
    assert_trains_alike(keras.models.clone_model(compiled(model)), model)


def test_a_class_whose_constructor_keeps_the_settings_to_itself():
    class Task(keras_sam.SAMModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, rho=0.3, **kwargs)

    inputs = keras.Input((5,))
    model = Task(inputs, keras.layers.Dense(3)(inputs))
    model.rho = 0.2
    clone = keras.models.clone_model(compiled(model))
    assert type(clone) is Task and clone.rho == 0.2


@pytest.mark.parametrize("make", [Net, keras.Sequential])
def test_a_plain_clone_stays_plain(make):
    model = Net() if make is Net else keras.Sequential([keras.layers.Dense(3)])
    model(np.zeros((1, 5)))
    assert type(keras.models.clone_model(model)) is make


@pytest.mark.parametrize("form", FORMS)
def test_deep_copy(form):
    model = compiled(built(FORMS[form], **SETTINGS))
    assert_alike(copy.deepcopy(model), model)


@pytest.mark.parametrize("form", ["functional", "from_sequential"])
def test_scikit_learn(form):
    model = built(FORMS[form], **{**CHEAP, "m": 4, "schedule": schedules.Every(2)})
    model.compile("sgd", "mse", run_eagerly=EAGER)
    seen = []

    class Seen(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append((self.model.rho, self.model.m, self.model.schedule.k))

    fit = {"batch_size": 8, "verbose": 0, "callbacks": [Seen()]}
    classifier = keras.wrappers.SKLearnClassifier(model, fit_kwargs=fit)
    x, y = data()
    classifier.fit(x, y)
    assert "sharpness" in classifier.history_.history
    assert classifier.model_ is not model
    regressor = keras.wrappers.SKLearnRegressor(model, fit_kwargs=fit)
    regressor.fit(x, y)
    cross_val_score(classifier, x, y, cv=2, params=fit)  # Its clones have no `fit_kwargs`.
    assert seen == [(0.4, 4, 2)] * 4


def test_a_clone_has_a_schedule_of_rho():
    schedule = keras.optimizers.schedules.CosineDecay(0.5, 100)
    clone = keras.models.clone_model(functional(rho=schedule))
    assert clone.rho.get_config() == schedule.get_config()


def test_a_config_of_a_class_that_is_not_registered():
    class Own(SharpNet):
        pass

    model = compiled(built(Own, **SETTINGS))
    assert_alike(keras.models.clone_model(model), model)

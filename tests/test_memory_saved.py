"""What a part remembers is in each file that is saved, and taken over by its like alone."""

import copy
import pickle

import keras
import pytest

import keras_sam
from keras_sam import ascents, schedules
from tests.helpers import assert_identical, long_on
from tests.models import classify, rows

pytestmark = long_on("jax")

BOTH = {"ascent": ascents.Averaged(0.25), "schedule": schedules.Adaptive(0.5)}
REMEMBERING = {
    "both": lambda: BOTH,
    "random": lambda: {"ascent": ascents.RandomDirection(seed=3)},
    "look": lambda: {"schedule": schedules.Every(2, reuse=0.5)},
}


def make(classes=3, frozen=None, **settings):
    """Its layers 1 and 2 are alike."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    x = keras.layers.Dense(8)(inputs)
    x = keras.layers.Dense(8)(x)
    outputs = keras.layers.Dense(classes, name="head")(x)
    model = keras_sam.SAMModel(inputs, outputs, **{"rho": 0.2, **settings})
    if frozen is not None:
        model.layers[frozen].trainable = False
    classify(model, keras.optimizers.SGD(0.1))
    model.optimizer.build(model.trainable_variables)
    return model


def train(model):
    model.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    return model


def memory(model):
    return [v for vs in model._sharpness_aware.memory.values().values() for v in vs]


def weights_file(path, model):
    model.save_weights(path / "its.weights.h5")
    return path / "its.weights.h5"


def saved(model, path):
    model.save(path / "again.keras")
    return keras.models.load_model(path / "again.keras")


def evaluated_and_saved(model, path):
    model.evaluate(*rows(), verbose=0)
    model.predict(rows()[0], verbose=0)
    return saved(model, path)


def weights_saved(model, path):
    other = make(**model._sharpness_aware.settings.values)
    other.load_weights(weights_file(path, model))
    return other


def deep_copied(model, path):
    return copy.deepcopy(model)


def pickled(model, path):
    return pickle.loads(pickle.dumps(model))


WAYS = [saved, evaluated_and_saved, weights_saved, deep_copied, pickled]


@pytest.mark.parametrize(
    "name, again",
    [*[("both", way) for way in WAYS], *[(name, saved) for name in REMEMBERING]],
)
def test_a_copy_of_a_loaded_model_goes_on_as_the_model(name, again, tmp_path):
    model = train(make(**REMEMBERING[name]()))
    model.save(tmp_path / "model.keras")
    copied = again(keras.models.load_model(tmp_path / "model.keras"), tmp_path)
    assert_identical(train(copied).get_weights(), train(model).get_weights(), rtol=1e-6)
    assert_identical(memory(copied), memory(model), rtol=1e-6)


def test_weights_that_are_loaded_while_training_bring_their_memory(tmp_path):
    model = train(make(**BOTH))
    path, before = weights_file(tmp_path, model), memory(model)
    train(model)
    model.load_weights(path)
    assert_identical(memory(model), before)


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # Keras's own.
def test_a_new_head(tmp_path):
    """Its shape is another: what there was for the old one cannot go on."""
    path = weights_file(tmp_path, train(make(**BOTH)))
    model = make(classes=5, **BOTH)
    with pytest.raises(ValueError, match="could not be loaded"):
        model.load_weights(path)
    fresh = memory(train(make(classes=5, **BOTH)))
    with pytest.warns(UserWarning, match="could not be loaded"):
        model.load_weights(path, skip_mismatch=True)
    train(model)
    train(classify(model))
    assert [m.shape for m in memory(model)] == [m.shape for m in fresh]


def other_part():
    return make(ascent=ascents.Friendly())


def other_weights():
    return make(ascent=ascents.Averaged(0.25, variables="head"))


def frozen():
    """What is trained has the shapes that it had, and is not what it was."""
    return make(ascent=ascents.Averaged(0.25), frozen=1)


@pytest.mark.parametrize("make_other", [other_part, other_weights, frozen])
def test_what_others_remembered_is_not_taken_over(make_other, tmp_path):
    path = weights_file(tmp_path, train(make(ascent=ascents.Averaged(0.25), frozen=2)))
    for remembers in (True, False):
        model = make_other()
        before = memory(train(model) if remembers else model)
        with pytest.raises(
            ValueError, match=r"(?s)of other weights, or of other.*Received"
        ):
            model.load_weights(path)
        assert_identical(memory(model), before)
        with pytest.warns(UserWarning, match=r"(?s)of other weights, or of other"):
            model.load_weights(path, skip_mismatch=True)
        assert_identical(memory(model), before)
        train(model)


def test_nobody_remembers(tmp_path):
    """A plain model takes the weights without a word."""
    path = weights_file(tmp_path, train(make(**BOTH)))
    model = make()
    model.load_weights(path)
    train(model)


def test_a_file_without_a_memory_leaves_that_which_is_there(tmp_path):
    path = weights_file(tmp_path, make())
    model = train(make(**BOTH))
    before = memory(model)
    model.load_weights(path)
    assert_identical(memory(model), before)


def test_weights_that_are_frozen_after_loading(tmp_path):
    train(make(**BOTH)).save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    model.layers[1].trainable = False
    classify(model)
    with pytest.warns(
        UserWarning, match="begin anew. Received: the same rules, with other"
    ):
        train(model)
    train(model)


def test_a_memory_of_a_file_that_does_not_say_whose(tmp_path):
    """Version 0.1.0 wrote none; the shapes alone can tell."""
    from tests.files.make import HERE, functional, train

    model = functional(ascent=ascents.Friendly(variables="kernel"))
    with pytest.raises(ValueError, match=r"(?s)Received: shape=\(4,\), expected: shape="):
        model.load_weights(HERE / "by_3cbdcf9/friendly.weights.h5")
    model = functional(ascent=ascents.Averaged())
    model.load_weights(HERE / "by_3cbdcf9/friendly.weights.h5")
    train(classify(model, keras.optimizers.SGD(0.0)))

"""Files that an earlier version has written load, and training goes on from them."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.files.make import CASES, HERE, train
from tests.helpers import BACKEND, array

FILES = sorted(path.relative_to(HERE) for path in HERE.glob("by_*/*.keras"))
OLDER = {"by_3cbdcf9"}


def long_unless_on_torch(file):
    """The other backends wait for the compiler, and read the newest files at least."""
    older = file.parent.name in OLDER and BACKEND != "torch"
    return pytest.param(file, marks=pytest.mark.slow if older else ())


def expected(file):
    with np.load(HERE / file.parent / "trained_on.npz") as weights:
        return weights[file.name.partition(".")[0]]


def assert_trained_on(model, file):
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(weights, expected(file), rtol=1e-4, atol=1e-5)


def test_there_is_a_file_of_each_form_and_each_memory():
    assert {file.stem for file in FILES} == CASES.keys()


@pytest.mark.parametrize("file", [long_unless_on_torch(file) for file in FILES], ids=str)
def test_training_goes_on_from_a_file(file):
    """By the same numbers as in the process that wrote it: seeds and memory too."""
    model = keras.models.load_model(HERE / file)
    made = CASES[file.stem]()
    assert isinstance(model, keras_sam.SharpnessAware)
    assert isinstance(model, keras_sam.SAMModel) is isinstance(made, keras_sam.SAMModel)
    assert (model.rho, model.m, model.second_order) == (made.rho, made.m, False)
    for part in ("ascent", "descent", "schedule"):
        loaded, original = getattr(model, part), getattr(made, part)
        assert type(loaded) is type(original)
        assert keras.saving.serialize_keras_object(loaded) == (
            keras.saving.serialize_keras_object(original)
        )
    (seed,) = [array(v) for v in model.variables if "seed" in v.path]
    assert seed.tolist() == [1, 3 if model.m is None else 6]  # Two groups a step.
    model.jit_compile = BACKEND == "jax"  # A file of JAX asks for it on all backends.
    train(model)
    if file.stem != "random" or BACKEND == "jax":  # Backends draw others by one seed.
        assert_trained_on(model, file)


@pytest.mark.parametrize("file", sorted(HERE.glob("by_*/*.weights.h5")), ids=str)
def test_training_goes_on_from_a_file_of_weights(file):
    model = CASES["friendly"]()
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)
    model.load_weights(file)
    train(model)
    assert_trained_on(model, file.relative_to(HERE))

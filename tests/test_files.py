"""Files that an earlier version has written load, and training goes on from them."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.conftest import BACKEND, array
from tests.files.make import CASES, HERE, train

TRAINED_ON = np.load(HERE / "trained_on.npz")


@pytest.mark.parametrize("name", CASES)
def test_training_goes_on_from_a_file(name):
    """By the same numbers as in the process that wrote it: seeds and memory too."""
    model = keras.models.load_model(HERE / f"{name}.keras")
    made = CASES[name]()
    assert isinstance(model, keras_sam.SharpnessAware)
    assert isinstance(model, keras_sam.SAMModel) is isinstance(made, keras_sam.SAMModel)
    assert (model.rho, model.m, model.second_order) == (made.rho, made.m, False)
    for part in ("ascent", "descent", "schedule"):
        loaded, expected = getattr(model, part), getattr(made, part)
        assert type(loaded) is type(expected)
        assert keras.saving.serialize_keras_object(loaded) == (
            keras.saving.serialize_keras_object(expected)
        )
    (seed,) = [array(v) for v in model.variables if "seed" in v.path]
    assert seed.tolist() == [1, 3 if model.m is None else 6]  # Two groups a step.
    model.jit_compile = BACKEND == "jax"  # A file of JAX asks for it on all backends.
    train(model)
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(weights, TRAINED_ON[name], rtol=1e-4, atol=1e-5)


def test_training_goes_on_from_a_file_of_weights():
    model = CASES["friendly"]()
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)
    model.load_weights(HERE / "friendly.weights.h5")
    train(model)
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(weights, TRAINED_ON["friendly"], rtol=1e-4, atol=1e-5)

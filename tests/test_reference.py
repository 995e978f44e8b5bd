"""Against an implementation of another kind: eager, with assignments and snapshots."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import assert_identical
from tests.models import classify, cnn
from tests.reference import reference_step


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_ten_steps(images, float64, optimizer):
    keras.config.set_dtype_policy("float64")
    x, y = images
    models = [classify(keras.Model(*cnn(seed=1)), optimizer)]
    models.append(
        keras_sam.SAMModel.from_model(keras.models.clone_model(models[0]), rho=0.1)
    )
    classify(models[1], keras.optimizers.get(optimizer))
    for a, b in zip(*(m.variables for m in models)):
        b.assign(a)
    for i in range(10):
        batch = x[i : i + 16].astype("float64"), y[i : i + 16]
        loss, sharpness = reference_step(models[0], *batch, rho=0.1)
        models[1].reset_metrics()
        logs = models[1].train_on_batch(*batch, return_dict=True)
        np.testing.assert_allclose(logs["loss"], loss, rtol=1e-6)
        np.testing.assert_allclose(logs["sharpness"], sharpness, rtol=1e-6)
    assert_identical(models[1].get_weights(), models[0].get_weights(), rtol=1e-11)

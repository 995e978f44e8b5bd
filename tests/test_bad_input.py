"""A clear error for each mistake, early, and nothing lost. (For rho: `test_rho`.)"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.helpers import BACKEND
from tests.models import classify, cnn


@pytest.mark.parametrize("model", [None, "model", 3, layers.Dense, lambda x: x])
def test_from_model_wants_a_keras_model(model):
    message = r"`model` must be a `keras.Model`.*Received: model="
    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel.from_model(model)


def test_from_model_wants_a_plain_model():
    with pytest.raises(ValueError, match="sharpness-aware already: set its `rho`"):
        keras_sam.SAMModel.from_model(keras_sam.SAMModel(*cnn()))


@pytest.mark.parametrize("ascent", ["l2", 2, {}])
def test_an_ascent_that_is_none(ascent):
    with pytest.raises(ValueError, match=r"`ascent` must be .* Received: ascent="):
        keras_sam.SAMModel(*cnn(), ascent=ascent)


def test_unknown_settings():
    with pytest.raises(ValueError, match=r"Unrecognized .* Received: epsilon=0.1"):
        keras_sam.SAMModel(*cnn(), epsilon=0.1)
    with pytest.raises(ValueError, match=r"Unrecognized .* Received: epsilon=0.1"):
        keras_sam.SAMModel.from_model(keras.Model(*cnn()), epsilon=0.1)


def test_an_uncompiled_model(images):
    model = keras_sam.SAMModel(*cnn())
    ways = [model.fit, model.train_on_batch, lambda x, y: model.train_step((x, y))]
    if BACKEND == "jax":
        del ways[2]  # It takes the optimizer's variables, and there is no optimizer.
    for train in ways:
        with pytest.raises(ValueError, match=r"You must call `compile\(\)`"):
            train(*images)


def test_a_model_that_cannot_be_built(images):
    class Net(keras_sam.SAMModel):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x):
            raise KeyError("on purpose")

    with pytest.raises(RuntimeError, match="Unable to automatically build the model"):
        classify(Net()).fit(*images, verbose=0)


def test_a_model_without_trainable_weights(images):
    inputs = keras.Input((8, 8, 1))
    outputs = layers.Lambda(lambda x: x[:, 0, :3, 0])(inputs)
    model = classify(keras_sam.SAMModel(inputs, outputs))
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        logs = model.fit(*images, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    frozen = keras_sam.SAMModel(*cnn())
    frozen.trainable = False
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        classify(frozen).fit(*images, verbose=0)


@pytest.mark.parametrize(
    "code, message",
    [
        (f"import sys; sys.modules['{BACKEND}'] = None", "pip install 'keras_sam["),
        ("import sys; sys.modules['keras'] = None", "pip install 'keras_sam["),
    ],
)
def test_import_says_what_is_missing(code, message):
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport keras_sam"],
        env={**os.environ, "KERAS_BACKEND": BACKEND},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: keras_sam")
    assert message in last

"""Backends of Keras that do not train: they load, predict, evaluate and save."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam._backend import base
from keras_sam.ascents import Friendly
from keras_sam.schedules import Every
from tests.helpers import BACKEND
from tests.models import classify, rows, small

# OpenVINO computes in bfloat16 where the processor can.
TOLERANCES = {"numpy": 1e-5, "openvino": 3e-2}
MODELS = {
    "functional": lambda **k: keras_sam.SAMModel(*small(), **k),
    "from_model": lambda **k: keras_sam.SAMModel.from_model(keras.Model(*small()), **k),
}


def fit(model):
    model.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    return model


@pytest.mark.skipif(BACKEND == "tensorflow", reason="the shortest to start are enough")
@pytest.mark.parametrize("form", MODELS)
@pytest.mark.parametrize("backend", TOLERANCES)
def test_a_trained_file(backend, form, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"without {backend}")
    source, target, results = (tmp_path / f"{n}.keras" for n in ("a", "b", "results"))
    memory = {"ascent": Friendly(), "schedule": Every(2, reuse=0.5)}
    model = fit(classify(MODELS[form](rho=0.1, **memory), jit_compile=False))
    model.save(source)
    subprocess.run(
        [sys.executable, "-m", "tests.predict_worker", source, target, f"{results}.npz"],
        env=os.environ | {"KERAS_BACKEND": backend},
        cwd=Path(__file__).parents[1],
        check=True,
    )
    found = np.load(f"{results}.npz")
    x, y = rows()
    predictions = model.predict(x, verbose=0)
    tolerance = TOLERANCES[backend]
    np.testing.assert_allclose(found["predictions"], predictions, tolerance, tolerance)
    evaluated = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(found["evaluated"], evaluated, tolerance)
    words = found["words"].tolist()  # Of `fit` and of `train_on_batch`.
    assert len(words) == 2 and all(backend in word.lower() for word in words)
    # What was remembered has gone through the other backend's file.
    again = fit(keras.models.load_model(target))
    for a, b in zip(again.get_weights(), fit(model).get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_step_refuses():
    # The refusal itself is what is tested: each backend that trains has its own.
    words = "keras_sam does not train on the"
    with pytest.raises(NotImplementedError, match=words):  # As Keras's own `fit` there.
        base.differentiate(None, None, [], [], [], None)


def test_each_backend_has_nothing_but_the_interface():
    backend = importlib.import_module(f"keras_sam._backend.{BACKEND}")
    assert set(backend.__all__) <= set(base.__all__)
    assert all(getattr(base, name).__doc__ for name in base.__all__)

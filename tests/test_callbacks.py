"""`SharpnessMonitor`: the same numbers as a call, where Keras's callbacks see them."""

import csv

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import analysis
from tests import dense
from tests.helpers import assert_identical


def fit(model, callbacks, epochs=4):
    x, y, _ = dense.data()
    return model.fit(x, y, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)


@pytest.mark.parametrize("sharpness_aware", [False, True])
def test_the_logs(sharpness_aware, tmp_path):
    x, y, _ = dense.data()
    model = dense.mlp()
    if sharpness_aware:
        model = keras_sam.SAMModel.from_model(model, rho=0.1)
        model.compile(keras.optimizers.SGD(0.1), "mse")
    monitor = keras_sam.callbacks.SharpnessMonitor(x, y, every=2, rho=0.1, draws=2)
    file = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = fit(model, [monitor, file]).history
    found = analysis.sharpness(model, x, y, rho=0.1, draws=2)
    for name in ("worst", "average", "random"):
        values = history[f"{name}_rise"]
        assert np.isnan(values[0]) and values[1] == values[2] != values[3]
        np.testing.assert_allclose(values[3], getattr(found, name), rtol=1e-4, atol=1e-7)
    rows = csv.DictReader((tmp_path / "log.csv").read_text().splitlines())
    assert [float(r["worst_rise"]) for r in rows][1:] == history["worst_rise"][1:]


def test_the_last_epoch_is_measured():
    x, y, _ = dense.data()
    monitor = keras_sam.callbacks.SharpnessMonitor(x, y, every=5, draws=1)
    history = fit(dense.mlp(), [monitor], epochs=2).history
    assert np.isfinite(history["worst_rise"][-1])


def test_training_goes_on_as_without_it():
    x, y, _ = dense.data()
    weights = []
    for callbacks in ([], [keras_sam.callbacks.SharpnessMonitor(x, y, draws=1)]):
        keras.utils.set_random_seed(0)
        model = dense.mlp()
        fit(model, callbacks)
        weights.append(model.get_weights())
    assert_identical(*weights)


def test_early_stopping_watches_it():
    x, y, _ = dense.data()
    monitor = keras_sam.callbacks.SharpnessMonitor(x, y, draws=1)
    stop = keras.callbacks.EarlyStopping("worst_rise", mode="max", min_delta=1e9)
    assert len(fit(dense.mlp(), [monitor, stop]).history["loss"]) == 2


def test_bad_values():
    with pytest.raises(ValueError, match=r"`every` must be.*Received: "):
        keras_sam.callbacks.SharpnessMonitor(np.ones((2, 4)), every=0)

"""A run: its results, what resuming it gives, and what is refused."""

import dataclasses
import json
import types

import keras
import pytest
from architectures.shake_shake import shake_shake
from architectures.small import small
from experiment import Experiment
from settings import Settings

import keras_sam
from tests.helpers import BACKEND, only_on

SETTINGS = Settings(
    dataset="cifar10",
    batch_size=16,
    learning_rate=0.1,
    weight_decay=1e-3,
    epochs=2,
    rho=0.1,
    m=8,
)


def recipe(network=small, **changes):
    return types.SimpleNamespace(
        SETTINGS=dataclasses.replace(SETTINGS, **changes),
        BY_DATASET={},
        ROWS=(),
        network=lambda shape, classes, smoke: network(shape, classes, width=4),
    )


def run(folder, changes=None, seed=0, **kwargs):
    experiment = Experiment("ours", recipe(**kwargs), str(folder), smoke=True, verbose=0)
    return experiment.run(changes or {}, seed)


def logs(run):
    """Of all epochs, without what differs from run to run."""
    return [{k: v for k, v in e.items() if k != "seconds"} for e in run["epochs"]]


@pytest.mark.skipif(BACKEND == "jax", reason="It is the same on all backends.")
def test_the_results(tmp_path):
    result = run(tmp_path, {"rho": 0.2}, seed=3)
    (file,) = tmp_path.glob("*.json")
    assert file.name == "ours,rho=0.2,seed=3.json"
    assert json.loads(file.read_text()) == result
    assert result["settings"] == dataclasses.asdict(dataclasses.replace(SETTINGS, rho=0.2))
    assert result["seed"] == 3 and result["complete"] and result["smoke"]
    assert result["backend"] == BACKEND and result["versions"]["keras"] == keras.__version__
    assert result["device"]
    names = {"loss", "accuracy", "val_loss", "val_accuracy", "sharpness", "seconds"}
    assert set(result["epochs"][0]) == names and len(result["epochs"]) == 2


@only_on("tensorflow", "It is the same on all backends.")
def test_what_is_done_is_not_run_again(tmp_path):
    first = run(tmp_path, rho=0.0)
    assert run(tmp_path, rho=0.0) == first


@only_on("tensorflow", "It is the same on all backends.")
def test_results_of_other_settings_are_not_taken_for_these(tmp_path):
    run(tmp_path, rho=0.0)
    with pytest.raises(ValueError, match="has other settings than this run"):
        run(tmp_path, rho=0.0, weight_decay=0.0)


class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "network", [small, pytest.param(shake_shake, marks=pytest.mark.slow)]
)
def test_an_interrupted_run_goes_on(network, tmp_path, monkeypatch):
    changes = {"ema": 0.9, "mixup": 0.5, "augmentation": "cutout"}
    if network is shake_shake:
        network = lambda *args, width: shake_shake(*args, depth=8, width=width)  # noqa: E731
        changes = {}
    whole = run(tmp_path / "whole", changes, network=network)

    fit = keras.Model.fit

    def interrupted(self, *args, callbacks, **kwargs):
        return fit(self, *args, callbacks=[*callbacks, Interrupt()], **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "parts", changes, network=network)
    parts = run(tmp_path / "parts", changes, network=network)
    assert logs(parts) == logs(whole)


@only_on("tensorflow", "It is the same on all backends.")
def test_the_labels_of_a_bootstrap_are_the_first_networks(tmp_path, monkeypatch):
    seen = []
    import experiment

    training = experiment.batches.training

    def spy(source, *args):
        seen.append(source.train.labels)
        return training(source, *args)

    monkeypatch.setattr(experiment.batches, "training", spy)
    run(tmp_path, {"bootstrap": True, "noise": 0.5}, rho=0.0)
    noisy, predicted = seen
    assert noisy.shape == predicted.shape
    assert (noisy != predicted).any()
    names = {file.name for file in tmp_path.glob("*.json")}
    assert names == {
        "ours,bootstrap=True,noise=0.5,seed=0.json",
        "ours,noise=0.5,seed=0.json",
    }
    assert predicted.max() < 10


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"epochs": 0}, "Either `epochs` or `steps` must be positive"),
        ({"steps": 3}, "Either `epochs` or `steps` must be positive"),
        ({"noise": 1.5}, "`noise` must be at most 1"),
        ({"test_every": 0}, "`test_every` must be positive"),
        ({"dataset": "cifar11"}, "`dataset` must be one of"),
    ],
)
def test_a_mistake(changes, message, tmp_path):
    plain = Experiment("ours", recipe(), str(tmp_path))
    with pytest.raises(ValueError, match=message):
        plain.run(changes, 0)
    assert not list(tmp_path.iterdir())


def test_weights_to_start_from_need_a_recipe_that_does(tmp_path):
    plain = Experiment("ours", recipe(), str(tmp_path), pretrained="b7.weights.h5")
    with pytest.raises(ValueError, match="`--pretrained` is for recipes that fine-tune"):
        plain.run({}, 0)


@only_on("jax", "`keras.distribution` is JAX's.")
def test_several_devices_of_jax(tmp_path, monkeypatch):
    """They train as one does with their m, and all of them train."""
    used, fit = [], keras_sam.SAMModel.fit

    def seen(model, *args, **kwargs):
        used.append(keras.distribution.distribution())
        return fit(model, *args, **kwargs)

    monkeypatch.setattr(keras_sam.SAMModel, "fit", seen)
    devices = keras.distribution.DataParallel()
    assert devices.device_mesh.shape == (8,)
    kwargs = {"recipe": recipe(m=2), "smoke": True, "verbose": 0}
    one = Experiment("ours", folder=tmp_path / "1", **kwargs).run({}, 0)
    many = Experiment("ours", folder=tmp_path / "8", strategy=devices, **kwargs).run({}, 0)
    assert used == [None, devices]
    for a, b in zip(logs(many), logs(one)):
        assert a == pytest.approx(b, rel=1e-3)

"""The command, as a user gives it."""

import json

import pytest
import train
from absl import app
from absl.testing import flagsaver

import keras_sam
from tests.helpers import only_on

tf = pytest.importorskip("tensorflow")
pytestmark = only_on("tensorflow", "The flags are the same on all backends.")


def run(*flags):
    with flagsaver.flagsaver():
        train.FLAGS(["train.py", "--recipe=fashion_mnist_mlp", "--verbose=0", *flags])
        train.main(["train.py"])


def test_all_that_goes_around_a_run(tmp_path, capsys, monkeypatch):
    trained, fit = [], keras_sam.SAMModel.fit

    def seen(model, *args, **kwargs):
        trained.append((model.layers[1].dtype_policy.name, model.distribute_strategy))
        return fit(model, *args, **kwargs)

    monkeypatch.setattr(keras_sam.SAMModel, "fit", seen)
    run(
        "--smoke",
        "--seeds=2",
        "--strategy=mirrored",
        "--mixed_precision=bfloat16",
        "--ema=0.9",
        f"--tensorboard={tmp_path / 'logs'}",
        f"--output_dir={tmp_path / 'results'}",
    )
    files = sorted((tmp_path / "results").glob("*.json"))
    names = [f"fashion_mnist_mlp,ema=0.9,seed={seed}" for seed in (0, 1)]
    assert [file.stem for file in files] == names
    results = [json.loads(file.read_text()) for file in files]
    assert all(run["dtype"] == "mixed_bfloat16" for run in results)
    assert [dtype for dtype, _ in trained] == ["mixed_bfloat16"] * 2
    assert all(isinstance(s, tf.distribute.MirroredStrategy) for _, s in trained)
    errors = [100 * (1 - run["epochs"][-1]["val_accuracy"]) for run in results]
    printed = capsys.readouterr().out
    assert "Test error in percent, seeds: 2\n" in printed
    assert f"\nlast epoch: {sum(errors) / 2:.2f} ± " in printed
    for name in names:
        assert list((tmp_path / "logs" / name / "validation").iterdir())


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--steps=3", "Either `epochs` or `steps` must be positive"),
        ("--noise=2", "`noise` must be at most 1"),
        ("--pretrained=b7.weights.h5", "is for recipes that fine-tune"),
    ],
)
def test_a_mistake_is_the_users(flag, message, tmp_path):
    with pytest.raises(app.UsageError, match=message):
        run(flag, f"--output_dir={tmp_path}")


def test_a_wrong_name(tmp_path):
    with pytest.raises(train.flags.IllegalFlagValueError, match="fashion_mnist"):
        run("--dataset=cifar11", f"--output_dir={tmp_path}")

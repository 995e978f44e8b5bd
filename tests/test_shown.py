"""One can see it: in `repr`, in the summary, in an editor, and in callbacks."""

import inspect

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.models import classify, rows, small
from tests.rules import ASCENTS, DESCENTS, SCHEDULES

SIX = ["rho", "m", "ascent", "descent", "schedule", "second_order"]


@pytest.mark.parametrize(
    "rule, shown",
    [
        (ascents.Adaptive(), "Adaptive(p=2.0, eta=0.01)"),
        (
            ascents.LpBall(variables="kernel$"),
            "LpBall(p=2.0, steps=1, variables='kernel$')",
        ),
        (descents.GSAM(0.5), "GSAM(alpha=0.5)"),
        (descents.Perturbed(), "Perturbed()"),
        (schedules.Every(3), "Every(k=3)"),
        (schedules.Between(2, unit="epochs"), "Between(start=2, unit='epochs')"),
        (
            schedules.RhoByLearningRate(0, 0.1, 1),
            "RhoByLearningRate(rho_min=0.0, rho_max=0.1, lr_max=1.0, lr_min=0.0)",
        ),
    ],
)
def test_a_rule(rule, shown):
    assert repr(rule) == shown


@pytest.mark.parametrize("rule", [*ASCENTS, *DESCENTS, *SCHEDULES])
def test_every_rule_is_the_call_that_makes_it(rule):
    rule = {**ASCENTS, **DESCENTS, **SCHEDULES}[rule]()
    assert repr(rule).startswith(f"{type(rule).__name__}(") and " at 0x" not in repr(rule)


def test_a_model():
    model = keras_sam.SAMModel(*small(), name="net")
    assert repr(model) == "<SAMModel name=net, built=True, rho=0.05>"
    model = keras_sam.SAMModel.from_model(
        keras.Sequential(name="stack"), rho=0.5, m=8, ascent=ascents.Adaptive()
    )
    shown = "rho=0.5, m=8, ascent=Adaptive(p=2.0, eta=0.01)"
    assert repr(model) == f"<SAMModel name=stack, built=False, {shown}>"
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model = keras_sam.SAMModel(*small(), rho=schedule, second_order=True)
    assert repr(model).endswith(", rho=CosineDecay(), second_order=True>")


def test_the_summary(capsys):
    model = keras_sam.SAMModel(*small(), rho=0.1, descent=descents.GSAM())
    line = "Sharpness-aware training: rho=0.1, descent=GSAM(alpha=0.4)"
    model.summary()
    assert line in capsys.readouterr().out
    lines = []
    model.summary(print_fn=lines.append)
    assert capsys.readouterr().out == "" and line in lines[-1] and len(lines) == 2


@pytest.mark.parametrize(
    "function",
    [
        keras_sam.SAMModel,
        keras_sam.SAMModel.__init__,
        keras_sam.SAMModel.from_model,
        keras_sam.SharpnessAware.__init__,
    ],
)
def test_signatures_show_the_settings(function):
    parameters = inspect.signature(function).parameters
    assert [name for name in parameters if name in SIX] == SIX
    defaults = [0.05, None, None, None, None, False]
    assert [parameters[name].default for name in SIX] == defaults
    assert all(parameters[name].annotation is not inspect.Parameter.empty for name in SIX)


@pytest.mark.parametrize(
    "name", ["fit", "evaluate", "compile", "summary", "train_on_batch", "test_on_batch"]
)
def test_methods_of_keras_keep_signature_and_docstring(name):
    ours, keras_own = getattr(keras_sam.SAMModel, name), getattr(keras.Model, name)
    assert inspect.signature(ours) == inspect.signature(keras_own)
    assert ours.__doc__ == keras_own.__doc__


@pytest.mark.parametrize(
    "module", [keras_sam, keras_sam.ascents, keras_sam.descents, keras_sam.schedules]
)
def test_dir_has_the_public_names_only(module):
    assert dir(module) == sorted(module.__all__)


CALLBACKS = {
    "stop": lambda path: keras.callbacks.EarlyStopping(monitor="sharpness", patience=0),
    "rate": lambda path: keras.callbacks.ReduceLROnPlateau(monitor="sharpness"),
    "file": lambda path: keras.callbacks.ModelCheckpoint(
        path / "best.weights.h5", "sharpness", save_best_only=True, save_weights_only=True
    ),
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_know_that_less_sharpness_is_better(name, tmp_path):
    class Rises(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.rho = 0.1 * (1 + epoch)

    model = classify(keras_sam.SAMModel(*small()), keras.optimizers.SGD(0.0))
    callback = CALLBACKS[name](tmp_path)
    rise = [Rises(), callback]
    history = model.fit(*rows(), epochs=3, batch_size=24, verbose=0, callbacks=rise)
    sharpness = history.history["sharpness"]
    assert sharpness == sorted(sharpness)
    if name == "stop":
        assert len(sharpness) == 2
    else:
        assert float(callback.best) == sharpness[0]


def test_metrics_names_fit_what_evaluate_returns():
    model = classify(keras_sam.SAMModel(*small()))
    model.fit(*rows(), verbose=0)
    results = model.evaluate(*rows(), verbose=0)
    assert len(model.metrics_names) == len(results) == len(model.test_on_batch(*rows()))
    named = model.evaluate(*rows(), verbose=0, return_dict=True)
    assert "sharpness" not in [*model.metrics_names, *named]
    np.testing.assert_allclose(results[0], named["loss"])

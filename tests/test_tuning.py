"""The search trains as `fit` does, goes on with the best, and touches nothing else."""

import logging
import random
import sys
import warnings

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam.schedules import Between
from keras_sam.tuning import RHOS, Search, Trial, _halving, search
from keras_sam.tuning._trial import Running, seed_of
from tests.helpers import BACKEND, array, assert_identical, state
from tests.models import rows, small

optuna = pytest.importorskip("optuna")
NAN = float("nan")


def build(rho, m, learning_rate=0.3, **settings):
    model = keras_sam.SAMModel(*small(), rho=rho, m=m, **settings)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, 12)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        run_eagerly=BACKEND == "tensorflow",  # To compile each model takes longer.
    )
    return model


def find(build=build, *, n=24, **settings):
    x, y = rows(n)
    settings = {"epochs": 4, "min_epochs": 1, "batch_size": 8, "verbose": 0} | settings
    return search(build, x, y, validation_data=rows(48), **settings)


class Same(keras.utils.PyDataset):
    """Three batches that are alike, so that their order does not matter."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return rows(8)


def trial(rho, scores, state="finished", **setting):
    return Trial({"rho": rho, "m": None, **setting}, tuple(scores), state)


def found(*trials, mode="min"):
    return Search(trials, 4, "val_loss", mode, 0, None)


def test_rungs_by_hand():
    assert _halving.rungs(27, 3) == [3, 9, 27]
    assert _halving.rungs(30, 3) == [4, 12, 30]
    assert _halving.rungs(8, 2, first=3) == [3, 6, 8]
    assert _halving.rungs(1, 3) == _halving.rungs(1, 3, first=9) == [1]
    assert _halving.rungs(9, 3, first=9) == [9]
    assert _halving.sizes(12, [3, 9, 27], 3) == [12, 4, 2]
    assert _halving.total(12, [3, 9, 27], 3) == 12 * 3 + 4 * 6 + 2 * 18


def test_halving_by_hand():
    curves = {"a": [1, 9], "b": [3, 0], "c": [1, 8], "d": [NAN], "e": [2, NAN]}
    trained = []

    def train(name, epochs):
        trained.append((name, epochs))
        return curves[name][epochs - 1]

    left = list(_halving.halve(curves, [1, 2], 2, "min", train))
    assert left == [["a", "c", "e"], ["c", "a"]]  # Not b, which would have been best.
    assert trained == [(name, 1) for name in "abcde"] + [("a", 2), ("c", 2), ("e", 2)]
    (left,) = _halving.halve(curves, [1], 2, "max", train)
    assert left == ["b", "e", "a", "c"]


def test_the_full_grid_is_that_of_plain_fit():
    rhos, data = (0, 0.1, 1.0), rows(48)
    search_of = search(
        build, Same(), validation_data=data, epochs=3, min_epochs=3, rhos=rhos, seed=5,
        verbose=0,
    )  # fmt: skip
    assert search_of.cost == 1
    for rho, trial in zip(rhos, search_of.trials):
        keras.utils.set_random_seed(5)
        model = build(rho, None)
        fit = model.fit(Same(), epochs=3, validation_data=data, verbose=0)
        assert trial.setting == {"rho": rho, "m": None}
        assert list(trial.scores) == fit.history["val_loss"]
    last = [trial.score for trial in search_of.trials]
    assert search_of.best is search_of.trials[np.argmin(last)]
    assert len(set(last)) == 3


@pytest.mark.parametrize("ema", [False, True])
def test_who_goes_on_was_never_interrupted(ema):
    """Iterations, learning rate, slots and averages, seeds, and what an epoch is."""
    models = []

    def kept(rho, m):
        model = build(rho, m, schedule=Between(2, unit="epochs"))
        rate = keras.optimizers.schedules.CosineDecay(0.01, 12)
        model.optimizer = keras.optimizers.Adam(rate, use_ema=ema, ema_momentum=0.9)
        models.append(model)
        return model

    data = {"validation_data": rows(48), "epochs": 4, "verbose": 0}
    search_of = search(kept, Same(), min_epochs=1, rhos=(0.5, 5.0), factor=2, **data)
    (place,) = [i for i, t in enumerate(search_of.trials) if t.state == "finished"]
    # Optuna asks for the settings in an order of its own.
    rho = search_of.trials[place].setting["rho"]
    on = next(model for model in models if model.rho == rho)
    keras.utils.set_random_seed(0)
    whole = kept(rho, None)
    assert list(search_of.best.scores) == whole.fit(Same(), **data).history["val_loss"]
    assert int(array(on.optimizer.iterations)) == 12
    assert_identical(state(on), state(whole))


def test_a_stop_does_not_change_the_order_of_examples():
    halved, whole = find(rhos=(0.1, 0.5, 2.0)), find(rhos=(0.1, 0.5, 2.0), min_epochs=4)
    for a, b in zip(halved.trials, whole.trials):
        assert a.scores == b.scores[: a.epochs] and a.setting == b.setting
    assert sorted(t.epochs for t in halved.trials) == [1, 1, 4]
    assert halved.cost == 6 / 12


def test_each_epoch_has_random_numbers_of_its_own():
    seeds = [seed_of(seed, epoch) for seed in (0, 1, 2**31 - 1) for epoch in range(9)]
    assert len(set(seeds)) == 27 and all(0 <= seed < 2**31 for seed in seeds)


def draws():
    drawn = [random.random(), np.random.random(), array(keras.random.normal((2,)))]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        drawn += [tf.random.normal((2,)).numpy(), tf.random.normal((2,), seed=1).numpy()]
    if BACKEND == "torch":
        import torch

        drawn.append(torch.rand(2).numpy())
    return drawn


def test_nothing_of_the_caller_moves():
    def all_draws(between=lambda: None):
        keras.backend.clear_session()  # Or Keras 3.10 goes on with its global numbers.
        keras.utils.set_random_seed(3)
        first = draws()
        between()
        return [*first, *draws()]

    trunk = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])
    trunk.trainable = False
    mine = build(0.1, None)
    mine.fit(*rows(), verbose=0)
    before = [*state(mine), *map(array, trunk.variables)]

    def on_trunk(rho, m):
        inputs, outputs = small()
        outputs = keras.Model(inputs, outputs)(trunk(inputs))
        model = keras_sam.SAMModel(inputs, outputs, rho=rho, m=m)
        model.compile("sgd", mine.loss, run_eagerly=BACKEND == "tensorflow")
        return model

    with_search = all_draws(lambda: find(on_trunk, rhos=(0, 0.1), epochs=2))
    assert_identical(with_search, all_draws())
    assert_identical([*state(mine), *map(array, trunk.variables)], before)


def test_the_seed_decides():
    settings = {"rhos": (0.1, 0.5), "epochs": 2}
    first = find(**settings)
    random.random()  # Nothing else does.
    assert find(**settings) == first
    assert find(**settings, seed=1).best.scores != first.best.scores


def test_a_loss_that_is_not_finite():
    def sized(rho, m, learning_rate):
        return build(rho, m, learning_rate)

    of = find(sized, rhos=(0.1,), learning_rates=(1e20, 0.1), epochs=2, min_epochs=2)
    bad, good = of.trials
    assert [t.setting["learning_rate"] for t in of.trials] == [1e20, 0.1]
    assert (bad.state, good.state) == ("not finite", "finished") and of.best is good
    assert not np.isfinite(bad.score) and bad.epochs <= good.epochs == 2
    with pytest.raises(ValueError, match=r"all settings.*Lower the learning rate"):
        find(sized, rhos=(0.1,), learning_rates=(1e20, 1e21), epochs=2)


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_a_training_loss_that_is_not_finite(monitor, monkeypatch):
    """Accuracy stays a number then."""
    logs = {"loss": NAN, "val_loss": 1.0, "val_accuracy": 1.0}
    monkeypatch.setattr(Running, "_fit", lambda self, epoch, data: logs)
    with pytest.raises(ValueError, match="The loss of all settings"):
        find(monitor=monitor, rhos=(0, 0.1))


def test_the_best_by_hand():
    a, b, c = trial(0.1, [3, 2]), trial(0.2, [1, 2]), trial(0.5, [0], "stopped")
    assert found(a, b, c).best is a  # Of equals the first, and c was not trained on.
    assert found(trial(0.1, [3, NAN], "not finite"), c).best is c
    assert found(trial(0.1, [2]), trial(0.2, [3]), mode="max").best.setting["rho"] == 0.2
    assert found(a, b, c).cost == 5 / 12


@pytest.mark.parametrize(
    ("rhos", "edge"),
    [
        ((0.1, 0.2, 0.3), "smallest of the grid: look further, below 0.1"),
        ((0.1, 0.05, 0.01), "largest of the grid: look further, above 0.1"),
        ((0.1, 0.05, 0.2), None),
        ((0.1,), None),
        ((0.0, 0.1), None),
        ((0.1, 0.0), "largest of the grid: look further, above 0.1"),
    ],
)
def test_a_best_rho_at_the_edge(rhos, edge):
    """The first is the best."""
    of = found(*(trial(rho, [i]) for i, rho in enumerate(rhos)))
    assert of.best.setting["rho"] == rhos[0] and of.at_edge == (edge is not None)
    assert ("look further" in str(of)) == of.at_edge and (edge or "") in str(of)


def test_the_table_and_the_picture():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    of = found(
        trial(0.0, [3, 2.5, 2, 1]),
        trial(0.1, [2, 1, 0.5, 0.25]),
        trial(0.2, [4], "stopped"),
        Trial({"rho": 0.1, "m": 8}, (NAN,), "not finite"),
    )
    lines = str(of).splitlines()
    assert lines[0] == "| rho | m | epochs | val_loss |  |"
    assert lines[3] == "| 0.1 | None | 4 | 0.25 | best |"
    assert lines[4] == "| 0.2 | None | 1 | 4 | stopped |"
    assert lines[5] == "| 0.1 | 8 | 1 | nan | not finite |"
    assert (
        lines[7]
        == "Best: rho = 0.1, m = None. 4 settings, 62% of the epochs of the full grid."
    )
    axes = of.plot()
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["m = None", "m = 8"]
    last, finished, *_ = axes.lines
    assert list(last.get_xdata()) == [0, 0.1, 0.2]
    assert list(last.get_ydata()) == [1, 0.25, 4]
    assert list(finished.get_xdata()) == [0, 0.1]  # The others are hollow.
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "0.1", "0.2"]
    assert axes.get_ylabel() == "val_loss (hollow: stopped early)"
    assert found(of.trials[0], of.trials[1]).plot().get_ylabel() == "val_loss"
    matplotlib.pyplot.close("all")


def test_what_is_printed(capfd, caplog):
    settings = {"rhos": (0.1, 0.5), "epochs": 2}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.enable_propagation()
    with caplog.at_level(logging.DEBUG, "optuna"):
        find(**settings)
    optuna.logging.disable_propagation()
    assert capfd.readouterr() == ("", "") and not caplog.records
    assert optuna.logging.get_verbosity() == verbosity
    printed = str(find(**settings, verbose=1))
    out = capfd.readouterr().out
    assert out.rstrip().endswith(printed) and "3/3" in out and "epoch" in out


def test_a_rho_that_is_too_large_is_no_warning():
    model = build(100.0, None)
    with pytest.warns(UserWarning, match="so large"), warnings.catch_warnings():
        warnings.simplefilter("always")
        model.fit(*rows(), verbose=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The loss at the perturbed weights")
        find(rhos=(100.0,), epochs=1)


def test_an_interruption(monkeypatch, capfd):
    fit, calls = Running._fit, []

    def interrupted(self, epoch, data):
        calls.append(epoch)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fit(self, epoch, data)

    monkeypatch.setattr(Running, "_fit", interrupted)
    before = random.getstate()
    of = find(rhos=(0.1, 0.2, 0.5), verbose=1)
    assert random.getstate() == before
    assert [t.epochs for t in of.trials] == [1, 1, 0]
    assert {t.state for t in of.trials} == {"unfinished"} and of.best.epochs == 1
    assert "Interrupted" in str(of) and str(of) in capfd.readouterr().out
    calls[:] = [0, 0]
    with pytest.raises(KeyboardInterrupt):
        find(rhos=(0.1, 0.2, 0.5))


def test_the_record_of_optuna():
    of = find(rhos=(0.1, 0.5), ms=(None, 4), epochs=2, factor=2)
    frame = {tuple(t.params.values()): t for t in of.study.trials}
    assert len(frame) == 4
    for trial in of.trials:
        told = frame[tuple(trial.setting.values())]
        assert tuple(told.intermediate_values.values()) == trial.scores
        finished = trial.state == "finished"
        assert told.state.name == ("COMPLETE" if finished else "PRUNED")
    assert of.study.best_params == of.best.setting
    # The order is that of the grid, rho the fastest.
    order = [tuple(t.setting.values()) for t in of.trials]
    assert order == [(0.1, None), (0.5, None), (0.1, 4), (0.5, 4)]


def test_a_score_of_which_more_is_better():
    of = find(rhos=(0.1, 0.5), epochs=1, monitor="val_accuracy")
    assert of.mode == "max" and of.study.direction.name == "MAXIMIZE"
    assert of.best.score == max(t.score for t in of.trials)


def test_the_grid_of_the_paper():
    assert RHOS == (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def of_plain(rho, m):
    model = keras.Model(*small())
    model.compile("sgd", "mse")
    return model


def not_compiled(rho, m):
    return keras_sam.SAMModel(*small(), rho=rho, m=m)


def with_another(**settings):
    return lambda rho, m: build(**{"rho": rho, "m": m} | settings)


# Its rho is a schedule: that it is another one cannot be seen.
ONE = build(keras.optimizers.schedules.CosineDecay(0.1, 12), None)
SHARED = keras.Model(*small())


def of_shared(rho, m):
    model = keras_sam.SAMModel.from_model(SHARED, rho=rho, m=m)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rhos": ()}, "`rhos` must have at least one value"),
        ({"rhos": (0.1, 0.1)}, "`rhos` must have .* each once"),
        ({"rhos": 0.1}, "`rhos` must be a list"),
        ({"rhos": (-0.1,)}, "`rho` must be a finite number"),
        ({"rhos": (NAN,)}, "`rho` must be"),
        ({"rhos": ("0.1",)}, "`rho` must be"),
        ({"ms": ()}, "`ms` must have"),
        ({"ms": (0,)}, "`m` must be a positive integer"),
        ({"ms": (4, 4)}, "`ms` must have"),
        ({"ms": (2.5,)}, "`m` must be a positive integer"),
        ({"learning_rates": ()}, "`learning_rates` must have"),
        ({"learning_rates": (0,)}, "`learning_rate` must be"),
        ({"learning_rates": (0.1,), "build": of_plain}, "`build` .* rho, m, learning_rate"),
        ({"epochs": 0}, "`epochs` must be a positive"),
        ({"min_epochs": 0}, "`min_epochs` must be a positive"),
        ({"factor": 1}, "`factor` must be an integer of at least 2"),
        ({"seed": -1}, "`seed` must be"),
        ({"verbose": "no"}, "`verbose` must be"),
        ({"monitor": "loss"}, "`monitor` must be a score on validation data"),
        ({"monitor": "val_odd"}, '`mode` must be "min" or "max"'),
        ({"mode": "up"}, "`mode` must be"),
        ({"monitor": "val_auc"}, r"one of \['val_accuracy', 'val_loss'\]"),
        ({"validation_data": None}, "`validation_data` must be given"),
        ({"validation_data": iter([])}, "`validation_data` .* read again"),
        ({"x": iter([])}, "`x` .* read again"),
        ({"build": lambda: 1}, "`build` must be a function"),
        ({"build": 1}, "`build` must be a function"),
        ({"build": lambda rho, m: None}, "must return a compiled sharpness-aware"),
        ({"build": of_plain}, "must return a compiled sharpness-aware"),
        ({"build": not_compiled}, "must return a compiled sharpness-aware"),
        ({"build": with_another(rho=0.3)}, "with the `rho` that it is given"),
        ({"build": with_another(m=3)}, "with the `m` that it is given"),
        ({"build": lambda rho, m: ONE}, "must return a new model at each call"),
        ({"build": of_shared}, "must return a new model at each call"),
    ],
)
def test_bad_input(settings, message):
    settings = {"build": build, "x": rows()[0], "y": rows()[1], "epochs": 1} | settings
    settings = {"validation_data": rows(), "verbose": 0, "rhos": (0.1, 0.2)} | settings
    with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
        search(**settings)


def test_data_that_do_not_end():
    class Endless(Same):
        @property
        def num_batches(self):
            return None

    with pytest.raises(ValueError, match="`x` must end"):
        search(build, Endless(), validation_data=rows(), epochs=1, verbose=0)


def test_a_schedule_of_rho_is_built_of_it():
    def following(rho, m):
        decay = keras.optimizers.schedules.CosineDecay(rho, 12)
        return build(decay, m)

    assert find(following, rhos=(0.1,), epochs=1).best.epochs == 1


def test_without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_sam.tuning._study", None)
    monkeypatch.delattr(keras_sam.tuning, "_study", raising=False)
    with pytest.raises(ImportError, match="pip install optuna"):
        find(rhos=(0.1,))

"""The search for rho, m and the learning rate, by successive halving.

`_checks` refuses what cannot be searched, `_halving` says who goes on, `_trial` trains one
setting, `result` is what is found, and `_study` records it for Optuna.
"""

import functools
import gc
import itertools
from collections.abc import Callable, Iterable
from typing import Literal

import keras

from keras_sam import _backend
from keras_sam.tuning import _checks, _halving
from keras_sam.tuning._trial import Running, seed_of
from keras_sam.tuning.result import Search
from keras_sam.validation import count

# The paper's (section 3.1).
RHOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def search(
    build: Callable[..., keras.Model],
    x,
    y=None,
    *,
    validation_data=None,
    epochs: int,
    rhos: Iterable[float] = RHOS,
    ms: Iterable[int | Literal["global"] | None] = (None,),
    learning_rates: Iterable[float] | None = None,
    batch_size: int | None = None,
    sample_weight=None,
    monitor: str = "val_loss",
    mode: Literal["auto", "min", "max"] = "auto",
    factor: int = 3,
    min_epochs: int | None = None,
    seed: int = 0,
    verbose: int | str = "auto",
) -> Search:
    """Searches rho, m and the learning rate, by successive halving on validation data.

    All settings of the grid train for `min_epochs`. The best third, rounded up, trains on
    to three times as many, and so on, until some have trained for `epochs`. (A third and
    three times are for the default `factor=3`.) A model trains on in memory where it has
    stopped, with its optimizer. So those that are still in the search are all in memory: at
    first as many as the grid has points.

    All settings begin with the same random numbers: with the same weights, if `build` makes
    them alike, and with the examples in the same order. The global generators of random
    numbers are left as they were.

    The loss of a setting may become infinite or not a number. It counts as the worst.
    Ctrl-C ends the search, which returns what it has found by then; before the first epoch
    has ended, there is nothing, and `KeyboardInterrupt` is raised.

    Args:
        build: Function of the keywords `rho` and `m`, and `learning_rate` if that is
            searched. Returns a new, compiled sharpness-aware model each time.
        x: Data as `fit` takes them, which end, and can be read again: arrays, a
            `tf.data.Dataset`, a `keras.utils.PyDataset`.
        y: Targets, where `x` does not have them.
        validation_data: As for `fit`.
        epochs: Integer, of a whole training.
        rhos: Radii. Defaults to `RHOS`, the paper's: 0.01, 0.02, 0.05, 0.1, 0.2, 0.5. With
            0 among them, plain training is compared, too.
        ms: Numbers of examples that share one perturbation. Defaults to `(None,)`, for a
            device's batch alone.
        learning_rates: Learning rates. Defaults to `None`: `build` decides.
        batch_size: Integer, as for `fit`.
        sample_weight: Weights of the examples, as for `fit`.
        monitor: String, the entry of the logs of `fit` by which settings are compared.
            Defaults to `"val_loss"`.
        mode: `"min"` or `"max"`, whether less or more of it is better. Defaults to
            `"auto"`, which knows losses, accuracies, AUC, precision and recall.
        factor: Integer `>= 2`: one setting in so many goes on, for so many times the
            epochs. Defaults to `3`.
        min_epochs: Integer, after which settings are compared first. Defaults to `None`,
            for `epochs / factor**2`, rounded up. With `epochs` all settings train to the
            end.
        seed: Integer `>= 0`, of weights, order and all other random numbers. Defaults to
            `0`.
        verbose: `"auto"`, `1` or `2` for a progress bar and the table, or `0`. Defaults to
            `"auto"`.

    Returns:
        `Search`: print it, `plot()` it, and build a model with its `best.setting`.

    Raises:
        ImportError: if Optuna is not installed.
        ValueError: if an argument is not of this form; if `build` does not return a new
            model of the setting it was given; if the logs have no such `monitor`; if the
            loss of all settings is not finite.

    Example:

    >>> def build(rho, m):
    ...     inputs = keras.Input((8,))
    ...     outputs = keras.layers.Dense(1)(inputs)
    ...     model = keras_sam.SAMModel(inputs, outputs, rho=rho, m=m)
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> x, y = np.eye(8, dtype="float32"), np.ones((8, 1), "float32")
    >>> found = keras_sam.tuning.search(
    ...     build, x, y, validation_data=(x, y), epochs=3, rhos=(0, 0.1), verbose=0
    ... )
    >>> model = build(**found.best.setting)

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), for the grid
        - [Jamieson and Talwalkar, 2016](https://arxiv.org/abs/1502.07943), for the halving
    """
    space = _checks.grid(rhos, ms, learning_rates)
    mode, verbose = _checks.direction(monitor, mode), _checks.verbosity(verbose)
    epochs, factor = count("epochs", epochs), count("factor", factor, 2)
    min_epochs = min_epochs if min_epochs is None else count("min_epochs", min_epochs)
    seed = count("seed", seed, 0)
    _checks.check_data(x=x, validation_data=validation_data)
    _checks.check_build(build, space)
    data = {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}
    data["validation_data"] = validation_data
    rungs = _halving.rungs(epochs, factor, min_epochs)
    optuna = _optuna()
    with _backend.seeding() as seed_all:
        trials = _built(build, space, epochs, functools.partial(seed_all, seed))
        total = _halving.total(len(trials), rungs, factor)
        bar = keras.utils.Progbar(total, verbose=verbose, unit_name="epoch")
        train = functools.partial(
            Running.train,
            data=data,
            monitor=monitor,
            seed=lambda epoch: seed_all(seed_of(seed, epoch)),
            done=lambda: bar.add(1),
        )
        _run(trials, rungs, factor, mode, train)
    results = tuple(trial.result() for trial in trials)
    _checks.check_finite(results)
    study = optuna.study_of(space, mode, results)
    found = Search(results, epochs, monitor, mode, seed, study)
    if verbose:
        trained = sum(trial.epochs for trial in results)
        if trained < total:
            bar.update(trained, finalize=True)
        print(found)
    return found


def _optuna():
    try:
        from keras_sam.tuning import _study
    except ImportError as error:
        raise ImportError("The search needs Optuna: `pip install optuna`.") from error
    return _study


def _built(build, space, epochs, seed):
    """Each setting with its model, all from the same random numbers; rho moves first."""
    trials = []
    for values in itertools.product(*reversed(space.values())):
        setting = dict(zip(space, reversed(values)))
        seed()
        model = build(**setting)
        _checks.check_model(model, setting, [trial.model for trial in trials])
        trials.append(Running(setting, model, epochs))
    return trials


def _run(trials, rungs, factor, mode, train):
    """Trains them, until only finished ones are left, or until Ctrl-C."""
    try:
        for left in _halving.halve(trials, rungs, factor, mode, train):
            for trial in trials:
                if trial not in left:
                    trial.end()
            gc.collect()  # A model is in cycles, and may hold much of a device's memory.
    except KeyboardInterrupt:
        if not any(trial.scores for trial in trials):
            raise

"""Optuna, which walks the grid and keeps the record."""

import contextlib
import math

import optuna

from keras_sam.tuning.result import FINISHED, NOT_FINITE, STOPPED

STATES = {
    FINISHED: optuna.trial.TrialState.COMPLETE,
    STOPPED: optuna.trial.TrialState.PRUNED,
    NOT_FINITE: optuna.trial.TrialState.FAIL,
}


class Grid(optuna.samplers.GridSampler):
    """All points of a grid, each once."""

    def after_trial(self, study, trial, state, values):
        """Stops no loop: there is none of Optuna's, and without one that is an error."""


def settings_of(space, mode, seed):
    """A study, and its trials with their settings, in the order of the space.

    Args:
        space: Dict from a name to a list of values.
        mode: `"min"` or `"max"`.
        seed: Integer.

    Returns:
        The study, and a list of pairs of an Optuna trial and a dict.
    """
    with _quiet():
        study = optuna.create_study(
            direction={"min": "minimize", "max": "maximize"}[mode],
            sampler=Grid(space, seed=seed),
            pruner=optuna.pruners.NopPruner(),
        )
    asked = []
    for _ in range(math.prod(map(len, space.values()))):
        trial = study.ask()
        setting = {n: trial.suggest_categorical(n, space[n]) for n in space}
        asked.append((trial, setting))
    asked.sort(key=lambda a: [space[n].index(a[1][n]) for n in reversed(space)])
    return study, asked


def record(study, asked, trials):
    """Tells the study what was found."""
    for (trial, _), found in zip(asked, trials):
        for epoch, score in enumerate(found.scores, start=1):
            trial.report(score, epoch)
        state = STATES.get(found.state, optuna.trial.TrialState.FAIL)
        complete = state == optuna.trial.TrialState.COMPLETE
        study.tell(trial, found.score if complete else None, state=state)


@contextlib.contextmanager
def _quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)

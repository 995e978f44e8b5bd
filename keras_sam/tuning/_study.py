"""Optuna's record of a search, for its plots and tables.

Its own successive halving is asynchronous: it cannot suspend a trial and go on with it, and
so lets one pass by those that happened to run before. `_halving` compares all of a rung.
"""

import optuna

from keras_sam.tuning.result import FINISHED, STOPPED

STATES = {
    FINISHED: optuna.trial.TrialState.COMPLETE,
    STOPPED: optuna.trial.TrialState.PRUNED,
}


def study_of(space, mode, trials):
    """A study of these trials.

    Args:
        space: Dict from a name to a list of values.
        mode: `"min"` or `"max"`.
        trials: List of `Trial`.
    """
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction=f"{mode}imize")
    finally:
        optuna.logging.set_verbosity(verbosity)
    axes = {n: optuna.distributions.CategoricalDistribution(v) for n, v in space.items()}
    for trial in trials:
        state = STATES.get(trial.state, optuna.trial.TrialState.FAIL)
        complete = state == optuna.trial.TrialState.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=trial.score if complete else None,
                params=trial.setting,
                distributions=axes,
                intermediate_values=dict(enumerate(trial.scores, start=1)),
            )
        )
    return study

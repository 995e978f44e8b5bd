"""One setting in training: it goes on where it has stopped."""

import contextlib
import math
import warnings

import numpy as np

from keras_sam._model.advice import OF_RHO
from keras_sam.tuning.result import FINISHED, NOT_FINITE, STOPPED, UNFINISHED, Trial


class Running:
    """A setting, its model, and its scores so far.

    Each epoch is a call of `fit` of its own, whose random numbers depend on the seed and on
    the epoch alone. So it does not matter where a training stops and goes on.

    Args:
        setting: Dict.
        model: The compiled model, which nothing else trains.
        epochs: Integer, of a whole training.
    """

    def __init__(self, setting, model, epochs):
        self.setting, self.model, self.epochs = setting, model, epochs
        self.scores, self.state = [], UNFINISHED

    def train(self, until, data, monitor, seed, done):
        """Trains to that many epochs, or until the loss is not finite. Returns the score.

        Args:
            until: Integer.
            data: Dict of arguments of `fit`.
            monitor: String, the entry of the logs that is the score.
            seed: Callable of the epoch, which seeds all generators.
            done: Callable without arguments, called after each epoch.
        """
        while self.model is not None and len(self.scores) < until:
            epoch = len(self.scores)
            seed(epoch)
            self.scores.append(_score(self._fit(epoch, data), monitor))
            if not math.isfinite(self.scores[-1]):
                self.end(NOT_FINITE)
            elif epoch + 1 == self.epochs:
                self.end(FINISHED)
            done()
        return self.scores[-1]

    def end(self, state=STOPPED):
        """The model is let go of, and its memory with it."""
        if self.model is not None:
            self.state, self.model = state, None

    def result(self):
        return Trial(self.setting, tuple(self.scores), self.state)

    def _fit(self, epoch, data):
        last = epoch + 1 == self.epochs
        averaged = contextlib.nullcontext() if last else _unfinished(self.model.optimizer)
        with warnings.catch_warnings(), averaged:
            warnings.filterwarnings("ignore", OF_RHO)  # The search shall find that out.
            history = self.model.fit(
                **data, initial_epoch=epoch, epochs=epoch + 1, verbose=0
            )
        return {name: values[-1] for name, values in history.history.items()}


def seed_of(seed, epoch):
    """An integer for the random numbers of an epoch."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]) >> 1


@contextlib.contextmanager
def _unfinished(optimizer):
    """`fit` ends with the averages of `use_ema=True` in the place of the weights: within
    this, it does not, as training will go on."""
    optimizer.finalize_variable_values = lambda variables: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


def _score(logs, monitor):
    """That entry of the logs, if the training loss is finite."""
    if monitor not in logs:
        names = sorted(name for name in logs if name.startswith("val_"))
        raise ValueError(
            f"`monitor` must be an entry of the logs of `fit`: one of {names}. Others are "
            f"there if the model is compiled with them as `metrics`. "
            f"Received: monitor={monitor!r}"
        )
    return float(logs[monitor]) if math.isfinite(logs.get("loss", 0.0)) else math.nan

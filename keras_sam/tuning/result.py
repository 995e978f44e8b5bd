"""What a search has found."""

import dataclasses
import math
from typing import Any

from keras_sam.pictures import pyplot
from keras_sam.tuning._halving import ranked

FINISHED, STOPPED = "finished", "stopped"
NOT_FINITE, UNFINISHED = "not finite", "unfinished"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One setting, and how its training went.

    Attributes:
        setting: Dict: `rho`, `m`, and `learning_rate` if that was searched, too.
        scores: Tuple of floats, the validation score after each epoch.
        state: String: `"finished"`, trained to the end; `"stopped"`, where others were
            better; `"not finite"`, as its loss was; `"unfinished"`, as the search was
            interrupted.
    """

    setting: dict
    scores: tuple
    state: str

    @property
    def epochs(self) -> int:
        """The number of epochs that it was trained."""
        return len(self.scores)

    @property
    def score(self) -> float:
        """The score after the last of them; not a number if there is none."""
        return self.scores[-1] if self.scores else math.nan


@dataclasses.dataclass(frozen=True)
class Search:
    """The settings that were tried, and the best of them.

    Attributes:
        trials: Tuple of `Trial`, one for each setting, in the order of the grid.
        epochs: Integer, the epochs of a whole training.
        monitor: String, the entry of the logs that is the score.
        mode: String, `"min"` or `"max"`.
        seed: Integer.
        study: `optuna.Study` with the same trials, for Optuna's plots and tables.
    """

    trials: tuple
    epochs: int
    monitor: str
    mode: str
    seed: int
    study: Any = dataclasses.field(repr=False, compare=False)

    @property
    def best(self) -> Trial:
        """Of the trials that trained the longest, the one with the best last score."""
        scores = {i: trial.score for i, trial in enumerate(self.trials)}
        order = ranked(scores, self.mode)
        longest = max(self.trials[i].epochs for i in order)
        return self.trials[next(i for i in order if self.trials[i].epochs == longest)]

    @property
    def cost(self) -> float:
        """The epochs that were trained, in parts of those of the full grid."""
        trained = sum(trial.epochs for trial in self.trials)
        return trained / (self.epochs * len(self.trials))

    @property
    def at_edge(self) -> bool:
        """Whether the best rho is the largest or the smallest, and none is below that.

        At 0, which is plain training, none is below. It is `False` for a single rho.
        """
        rhos = {trial.setting["rho"] for trial in self.trials}
        rho = self.best.setting["rho"]
        return len(rhos) > 1 and (rho == max(rhos) or 0 < rho == min(rhos))

    def __str__(self):
        """A Markdown table, a row for each setting, and what it says below."""
        names = list(self.trials[0].setting)
        head = [*names, "epochs", self.monitor, ""]
        lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        best = self.best
        for trial in self.trials:
            cells = [_shown(trial.setting[name]) for name in names]
            state = "best" if trial is best else trial.state
            cells += [str(trial.epochs), f"{trial.score:.4g}", state]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join([*lines, "", self._said()])

    def plot(self, axes=None):
        """Draws the score against rho, by matplotlib, with a line for each m and learning
        rate. Returns the axes.

        A hollow point was stopped before the end: its score is that of fewer epochs.
        """
        axes = axes or pyplot().figure(layout="constrained").gca()
        lines = {}
        for trial in self.trials:
            rest = {n: v for n, v in trial.setting.items() if n != "rho"}
            lines.setdefault(_named(rest), []).append(trial)
        for name, trials in lines.items():
            trials = sorted(trials, key=lambda trial: trial.setting["rho"])
            x, y = ([t.setting["rho"] for t in trials], [t.score for t in trials])
            (line,) = axes.plot(x, y, "o-", label=name, markerfacecolor="white")
            full = [t for t in trials if t.epochs == self.epochs]
            x, y = ([t.setting["rho"] for t in full], [t.score for t in full])
            axes.plot(x, y, "o", color=line.get_color())
        _scale(axes, sorted({t.setting["rho"] for t in self.trials}))
        early = any(trial.epochs < self.epochs for trial in self.trials)
        said = f"{self.monitor} (hollow: stopped early)" if early else self.monitor
        axes.set(xlabel="rho", ylabel=said)
        axes.legend()
        return axes

    def _said(self):
        best = self.best
        said = (
            f"Best: {_named(best.setting)}. {len(self.trials)} settings, "
            f"{self.cost:.0%} of the epochs of the full grid."
        )
        if any(trial.state == UNFINISHED for trial in self.trials):
            said += " Interrupted: not all of them were compared."
        if self.at_edge:
            rho = best.setting["rho"]
            largest = rho == max(trial.setting["rho"] for trial in self.trials)
            said += (
                f" The best rho is the {'largest' if largest else 'smallest'} of the grid: "
                f"look further, {'above' if largest else 'below'} {rho:g}."
            )
        return said


def _shown(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def _named(setting):
    return ", ".join(f"{name} = {_shown(value)}" for name, value in setting.items())


def _scale(axes, rhos):
    """An axis on which equal factors of rho are equally far, with 0 where it is."""
    positive = [rho for rho in rhos if rho > 0]
    if len(positive) == len(rhos):
        axes.set_xscale("log")
    elif positive:
        axes.set_xscale("symlog", linthresh=positive[0])
    axes.set_xticks(rhos, [f"{rho:g}" for rho in rhos])
    axes.minorticks_off()

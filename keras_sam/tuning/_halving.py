"""Successive halving: all settings train a little, the best of them go on.

After each rung, a number of epochs, one in `factor` is kept:

    epochs      3    9   27
    settings   12    4    2

These functions train nothing, and so can be tried on curves that were recorded before.
"""

import math


def rungs(epochs, factor, first=None):
    """The epochs after which settings are compared; the last are all.

    Args:
        epochs: Integer, of a whole training.
        factor: Integer, by which each rung is longer than the one before.
        first: Integer, the first rung. Defaults to `None`, for the part of all of which
            two more rungs make the whole.
    """
    found = [min(first or math.ceil(epochs / factor**2), epochs)]
    while found[-1] < epochs:
        found.append(min(found[-1] * factor, epochs))
    return found


def sizes(count, rungs, factor):
    """How many of `count` settings train to each rung, if all stay finite."""
    found = [count]
    for _ in rungs[1:]:
        found.append(math.ceil(found[-1] / factor))
    return found


def total(count, rungs, factor):
    """The epochs of all of that together."""
    new = [rung - before for before, rung in zip([0, *rungs], rungs)]
    return sum(size * epochs for size, epochs in zip(sizes(count, rungs, factor), new))


def ranked(scores, mode):
    """The keys of a dict of scores, the best first, without those that are not finite.

    Args:
        scores: Dict from anything to a float. Where two are equal, the first is ahead.
        mode: `"min"` if less is better, or `"max"`.
    """
    sign = {"min": 1, "max": -1}[mode]
    finite = [key for key, score in scores.items() if math.isfinite(score)]
    return sorted(finite, key=lambda key: sign * scores[key])


def halve(candidates, rungs, factor, mode, train):
    """Trains all of the candidates to the first rung, the best to the next, and so on.

    Args:
        candidates: List.
        rungs: List of integers, as of `rungs`.
        factor: Integer: of n candidates, n / factor go on, rounded up.
        mode: As for `ranked`.
        train: Callable from a candidate and a number of epochs, to which it is trained, to
            its score there.

    Yields:
        The list of those that are left after each rung, the best first. After the last
        these are all that were trained to the end with a finite score.
    """
    left = list(candidates)
    kept = [*sizes(len(left), rungs, factor)[1:], None]
    for rung, size in zip(rungs, kept):
        scores = {i: train(one, rung) for i, one in enumerate(left)}
        left = [left[i] for i in ranked(scores, mode)[:size]]
        yield left

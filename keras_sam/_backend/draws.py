"""The random numbers of a step that Python's and NumPy's global generators give.

All passes of a step have to see the same ones. These generators belong to every thread of
the process: to rewind them for the second pass would give other threads some numbers twice.
So the first pass draws from them, as in plain training; what it got is kept, and the later
passes get it again.
"""

import contextlib
import copy
import functools
import random
import threading

import numpy as np

_thread = threading.local()
_lock = threading.Lock()
_passes = 0


class Randomness:
    """How a model draws random numbers that are not Keras's."""

    def draws(self, private=False):
        """The `Draws` of a step's passes, all of the same examples.

        Args:
            private: Bool. Whether the generators stay where they are: other passes of the
                step, of other examples, will draw what plain training draws.
        """
        return Draws(private)


class Draws:
    """Keeps what the first pass draws, and gives it to the later ones."""

    def __init__(self, private):
        self.private = private
        self.kept = None
        self.copies = {}

    def apart(self):
        """Those of a pass that is none of the step's, and leaves the generators."""
        return Draws(private=True)

    @contextlib.contextmanager
    def for_a_pass(self):
        before = getattr(_thread, "take", None)
        _thread.take = self._take()
        _stand_in()
        try:
            yield
        finally:
            _withdraw()
            _thread.take = before

    def _take(self):
        """Called in the place of each function that draws."""
        if self.kept is None:
            self.kept = []
            return self._draw
        return functools.partial(self._give, iter(self.kept))

    def _draw(self, function, args, kwargs):
        if self.private:
            function = self._owned(function)
        result = function(*args, **kwargs)
        in_place = function.__name__ == "shuffle"
        value = _first(args, kwargs) if in_place else result
        self.kept.append((function.__name__, _copy(value)))
        return result

    def _give(self, kept, function, args, kwargs):
        name, value = next(kept, (None, None))
        check_same(name, function.__name__)
        if name == "shuffle":
            _first(args, kwargs)[:] = value
            return None
        return _copy(value)

    def _owned(self, function):
        """The function of a copy of its generator."""
        shared = getattr(function, "__self__", None)
        if not isinstance(shared, (random.Random, np.random.RandomState)):
            return function
        if id(shared) not in self.copies:
            own = self.copies[id(shared)] = type(shared)()
            if isinstance(own, random.Random):
                own.setstate(shared.getstate())
            else:
                own.set_state(shared.get_state())
        return getattr(self.copies[id(shared)], function.__name__)


def check_same(expected, received):
    """Raises where a pass does not draw what the first pass of its step has drawn."""
    if received != expected:
        raise ValueError(
            "A layer draws other random numbers in one pass of a sharpness-aware step than "
            "in the first, and both have to see the same. What it draws must not depend on "
            "its weights, or on how often it was called. Or draw with `keras.random` and a "
            f"`keras.random.SeedGenerator`. Received: {received}, expected: {expected}"
        )


def _first(args, kwargs):
    return (*args, *kwargs.values())[0]


def _copy(value):
    if isinstance(value, (np.ndarray, np.random.Generator)):
        return copy.deepcopy(value)
    return list(value) if isinstance(value, list) else value


def _functions():
    """`(module, name, function)` for all that draw, called by way of their module."""
    for module, shared in ((random, random._inst), (np.random, np.random.mtrand._rand)):
        for name in dir(module):
            function = getattr(module, name)
            if getattr(function, "__self__", None) is shared and "state" not in name:
                yield module, name, function
    yield np.random, "default_rng", np.random.default_rng


def _thread_aware(function):
    """Draws what this thread's pass draws. Any other thread goes on as it was."""

    @functools.wraps(function)
    def draw(*args, **kwargs):
        take = getattr(_thread, "take", None)
        return take(function, args, kwargs) if take else function(*args, **kwargs)

    return draw


_FUNCTIONS = [(*entry, _thread_aware(entry[-1])) for entry in _functions()]


def _stand_in():
    global _passes
    with _lock:
        _passes += 1
        if _passes == 1:
            for module, name, _, draw in _FUNCTIONS:
                setattr(module, name, draw)


def _withdraw():
    global _passes
    with _lock:
        _passes -= 1
        if _passes == 0:
            for module, name, function, _ in _FUNCTIONS:
                setattr(module, name, function)

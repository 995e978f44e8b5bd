"""Keras's progress bar, for work of which it is not known how long it takes."""

import contextlib

import keras


@contextlib.contextmanager
def progress(unit, verbose):
    """Within it, a function to call after each unit of work.

    Args:
        unit: String, what is counted.
        verbose: `1` to show the bar, or `0`.
    """
    bar, count = keras.utils.Progbar(None, verbose=verbose, unit_name=unit), 0

    def done():
        nonlocal count
        count += 1
        bar.add(1)

    yield done
    bar.update(count, finalize=True)

"""Ctrl-C, which must not come while a step is written: after it all is of one step.

Plain `fit` leaves a part of the weights a step ahead then where it runs eagerly. On JAX it
loses them: a compiled step uses up the arrays of the state before.
"""

import contextlib
import signal
import threading


@contextlib.contextmanager
def held_back():
    """The first interrupt waits until the end; the second does not, as data may hang."""
    handler = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or not callable(handler):
        yield
        return
    waiting = []

    def hold(*args):
        if waiting:
            handler(*args)
        waiting.append(args)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if waiting:
            handler(*waiting[0])

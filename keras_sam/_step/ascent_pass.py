"""Which of a step's passes runs, for layers whose gradient depends on it."""

import contextlib
import functools
import threading


class _Running(threading.local):  # Of a strategy's replicas, each has a thread.
    ascent_pass = False
    asked = False


_running = _Running()


def in_ascent_pass():
    """Whether this is a pass whose gradient gives the perturbation.

    A sharpness-aware step runs the model at least twice: in the ascent pass, at w, whose
    gradient says where to perturb; and at w + eps, whose gradient the optimizer gets. With
    an ascent of several steps there are ascent passes between the two.

    This is for a layer that is to behave otherwise in the first. Shake-Shake and ShakeDrop
    have a gradient that is not the one of what they computed, but of another random draw.
    The paper's authors perturb by the true gradient, and keep the other one for the update.

    The answer holds while a layer's `call` runs, or is traced. A function that the layer
    compiles itself keeps the answer of its first trace.

    Returns:
        Bool. `False` outside of a sharpness-aware step: in plain training, in `evaluate`
        and in `predict`.

    Example:

    >>> class Gate(keras.layers.Layer):
    ...     def __init__(self, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.seeds = keras.random.SeedGenerator()
    ...
    ...     def call(self, x, training=False):
    ...         if not training:
    ...             return x / 2
    ...         rows = (keras.ops.shape(x)[0], 1)
    ...         forward = keras.random.uniform(rows, seed=self.seeds)
    ...         backward = keras.random.uniform(rows, seed=self.seeds)
    ...         if keras_sam.in_ascent_pass():
    ...             backward = forward
    ...         kept = keras.ops.stop_gradient((forward - backward) * x)
    ...         return backward * x + kept
    >>> inputs = keras.Input((3,))
    >>> outputs = Gate()(keras.layers.Dense(2)(inputs))
    >>> model = keras_sam.SAMModel(inputs, outputs, rho=0.05)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)

    Reference:
        - [The paper's code](https://github.com/google-research/sam), where the argument
          `true_gradient` says so
    """
    _running.asked = True
    return _running.ascent_pass


@contextlib.contextmanager
def listening():
    """Yields a callable: whether a layer has asked `in_ascent_pass` within this."""
    before, _running.asked = _running.asked, False
    try:
        yield lambda: _running.asked
    finally:
        _running.asked = before


def ascent_pass(evaluate):
    """`evaluate`, in which a layer sees that it is in an ascent pass."""

    @functools.wraps(evaluate)
    def marked(*args):
        before, _running.ascent_pass = _running.ascent_pass, True
        try:
            return evaluate(*args)
        finally:
            _running.ascent_pass = before

    return marked

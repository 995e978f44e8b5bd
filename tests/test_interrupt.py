"""Ctrl-C while a step runs leaves the weights after some whole number of steps."""

import os
import random
import signal
import threading

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents
from tests.helpers import BACKEND, array, assert_identical
from tests.models import classify, rows
from tests.plain import MODES

X, Y = (np.tile(a, (10,) + (1,) * (a.ndim - 1)) for a in rows())
BATCH = 8


def make(mode):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(3)(keras.layers.Dense(64, "tanh")(inputs))
    model = keras_sam.SAMModel(inputs, outputs, rho=0.2, ascent=ascents.Averaged(0.25))
    return classify(model, keras.optimizers.SGD(1e-3), **MODES[mode])


def fit(model, epochs, part=slice(None), callbacks=()):
    fixed = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    model.fit(X[part], Y[part], epochs=epochs, callbacks=list(callbacks), **fixed)


def state(model):
    variables = [*model.weights, *model._sharpness_aware.memory.all]
    return [array(v) for v in [*variables, *model.optimizer.variables]]


def interrupt():
    """From another thread, in a moment."""
    kill = os.kill, (os.getpid(), signal.SIGINT)
    threading.Timer(random.uniform(0, 0.05), *kill).start()


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            interrupt()


@pytest.mark.parametrize("mode", ["eager", "jit"] if BACKEND != "torch" else ["eager"])
def test_after_a_whole_number_of_steps(mode):
    before = signal.getsignal(signal.SIGINT)
    for seed in range(3):
        random.seed(seed)
        model = make(mode)
        with pytest.raises(KeyboardInterrupt):
            fit(model, 10_000, callbacks=[Interrupt()])
        assert signal.getsignal(signal.SIGINT) is before
        steps = int(array(model.optimizer.iterations))
        epochs, left = divmod(steps, -(-len(X) // BATCH))
        same = make(mode)
        fit(same, epochs)
        if left:
            fit(same, 1, slice(left * BATCH))
        assert_identical(state(model), state(same))
        fit(model, 1)


@pytest.mark.parametrize("mode", ["eager", "jit"] if BACKEND != "torch" else ["eager"])
def test_after_a_whole_batch(mode):
    """Of a model that is given one batch after another, always the same."""
    for seed in range(3):
        random.seed(seed)
        model = make(mode)
        model.train_on_batch(X[:BATCH], Y[:BATCH])
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            while True:
                model.train_on_batch(X[:BATCH], Y[:BATCH])
        same = make(mode)
        for _ in range(int(array(model.optimizer.iterations))):
            same.train_on_batch(X[:BATCH], Y[:BATCH])
        assert_identical(state(model), state(same))

"""20,000 steps, a hundred models, two threads: nothing grows, and nothing is mixed up."""

import contextlib
import gc
import os
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents
from tests.helpers import BACKEND, array, assert_identical
from tests.jax_devices import data_parallel
from tests.models import classify, rows
from tests.replicas import mirrored

pytestmark = pytest.mark.slow


def megabytes():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def make(cls=keras_sam.SAMModel, **settings):
    inputs = keras.Input((8,))
    x = keras.layers.Dropout(0.3, seed=1)(keras.layers.Dense(16, "relu")(inputs))
    outputs = keras.layers.Dense(3)(keras.layers.BatchNormalization()(x))
    model = cls(inputs, outputs, **settings)
    return classify(model, keras.optimizers.SGD(1e-3, momentum=0.9))


class Watch(keras.callbacks.Callback):
    """Memory, and how often the step was traced, after each part of the training."""

    def __init__(self, traces):
        super().__init__()
        self.traces, self.memory, self.counts, self.times = traces, [], [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.times.append(time.process_time() - self.begin)
        self.memory.append(megabytes())
        self.counts.append(len(self.traces))


def test_20_000_steps():
    traces = []

    class Counted(keras_sam.SAMModel):
        def compute_loss(self, *args, **kwargs):
            traces.append(1)
            return super().compute_loss(*args, **kwargs)

    x, y = (np.concatenate([a] * 34)[:800] for a in rows())
    watch = Watch(traces)
    model = make(Counted, ascent=ascents.Averaged(0.5))
    model.fit(x, y, batch_size=8, epochs=200, verbose=0, callbacks=[watch])
    if BACKEND != "torch":  # Which runs it in each step.
        assert watch.counts[-1] == watch.counts[0]
    first, last = np.median(watch.memory[20:60]), np.median(watch.memory[-40:])
    assert last - first < 8, watch.memory[::20]
    first, last = np.median(watch.times[20:60]), np.median(watch.times[-40:])
    assert last < 1.5 * first, watch.times[::20]


@contextlib.contextmanager
def two_devices():
    if BACKEND == "tensorflow":
        with mirrored(2).scope():
            yield
        return
    keras.distribution.set_distribution(data_parallel(2)())
    try:
        yield
    finally:
        keras.distribution.set_distribution(None)


def copies_of(variable):
    """What each of the two devices has."""
    if BACKEND == "tensorflow":
        return [value.numpy() for value in variable.value.values]
    return [np.asarray(shard.data) for shard in variable.value.addressable_shards]


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
def test_the_copies_of_two_devices_are_the_same_after_20_000_steps():
    x, y = (np.concatenate([a] * 34)[:800] for a in rows())
    with two_devices():
        model = make(rho=0.2, m=2)
        model.fit(x, y, batch_size=8, epochs=200, verbose=0)
    assert int(array(model.optimizer.iterations)) == 20_000
    # Batch norm's statistics are each device's own until they are read, on TensorFlow.
    for variable in [*model.trainable_variables, *model.optimizer.variables]:
        first, second = copies_of(variable)
        np.testing.assert_array_equal(first, second)
        assert np.isfinite(first).all()


def test_100_models_leave_what_plain_ones_leave():
    def growth(cls):
        found = []
        for _ in range(100):
            make(cls).fit(*rows(), batch_size=8, verbose=0)
            keras.backend.clear_session()
            found.append(megabytes())
        return found[-1] - found[19]

    plain, sharp = growth(keras.Model), growth(keras_sam.SAMModel)
    assert sharp < 2 * plain + 20, (plain, sharp)


def test_two_models_in_two_threads():
    def train(seed, results):
        model = models[seed]
        model.fit(*rows(), batch_size=8, epochs=20, shuffle=False, verbose=0)
        results[seed] = model.get_weights()

    def models_of_seeds():
        found = []
        for seed in (0, 1):
            keras.utils.set_random_seed(seed)
            found.append(make(rho=0.1 + 0.1 * seed))
        return found

    alone, together = {}, {}
    models = models_of_seeds()
    for seed in (0, 1):
        train(seed, alone)
    models = models_of_seeds()
    threads = [threading.Thread(target=train, args=(s, together)) for s in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (0, 1):
        assert_identical(together[seed], alone[seed])

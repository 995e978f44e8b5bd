"""An analysis leaves nothing behind: not of a model, and not where it ends early."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sam import analysis
from tests import dense
from tests.helpers import array, assert_identical, state


@pytest.fixture(autouse=True)
def _double(float64):
    """Errors are then of the mathematics, and not of rounding."""


@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_left_behind(training):
    x, y, _ = dense.data()
    inputs = keras.Input((4,))
    h = layers.Dropout(0.5, seed=1)(layers.BatchNormalization()(layers.Dense(3)(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(h))
    model.compile(keras.optimizers.Adam(), "mse", metrics=["mae"])
    model.fit(x, y, verbose=0)
    before = state(model)
    metrics = [array(v) for v in model.metrics_variables]
    analysis.hessian_trace(model, x, y, draws=2, training=training)
    analysis.sharpness(model, x, y, training=training)
    analysis.loss_landscape(model, x, y, directions=1, points=3, training=training)
    assert_identical(state(model), before)
    assert_identical([array(v) for v in model.metrics_variables], metrics)
    model.fit(x, y, verbose=0)


def test_nothing_is_left_behind_by_an_error():
    x, y, _ = dense.data()
    model = dense.mlp()
    before = state(model)
    with pytest.raises(ValueError, match="is not finite"):
        analysis.hessian_trace(model, x * np.inf, y)
    assert_identical(state(model), before)


class Interrupted(keras.utils.PyDataset):
    """Data whose second batch is interrupted, as by Ctrl-C, at the first read or later."""

    def __init__(self, reads):
        super().__init__()
        self.reads = reads

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index == 1:
            self.reads -= 1
        if not self.reads:
            raise KeyboardInterrupt
        x, y, _ = dense.data()
        return x[:7], y[:7]


class Switch(layers.Layer):
    """Is interrupted in its call, if it is on."""

    on = False

    def call(self, x):
        if self.on:
            raise KeyboardInterrupt
        return x


def with_statistics_and_seeds(switch):
    x, y, _ = dense.data()
    inputs = keras.Input((4,))
    h = layers.Dropout(0.5, seed=1)(layers.BatchNormalization()(layers.Dense(3)(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(switch(h)))
    model.compile(keras.optimizers.Adam(), "mse")
    model.fit(x, y, verbose=0)
    return model


MEASURES = [analysis.sharpness, analysis.hessian_trace, analysis.loss_landscape]


@pytest.mark.parametrize("reads", [1, 3])
@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_is_left_behind_by_an_interruption(measure, reads):
    """At the third read of the batch, some loss has been taken at other weights."""
    model = with_statistics_and_seeds(Switch())
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        measure(model, Interrupted(reads), training=True)
    assert_identical(state(model), before)
    x, y, _ = dense.data()
    model.fit(x, y, verbose=0)


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_is_left_behind_by_an_interruption_in_a_layer(measure):
    """Of which the layers before have run, while the model is traced."""
    x, y, _ = dense.data()
    switch = Switch()
    model = with_statistics_and_seeds(switch)
    before = state(model)
    switch.on = True
    with pytest.raises(KeyboardInterrupt):
        measure(model, x, y, training=True)
    switch.on = False
    assert_identical(state(model), before)
    model.fit(x, y, verbose=0)

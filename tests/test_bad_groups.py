"""A clear error for an m, or for groups, that cannot be."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests import jax_devices
from tests.helpers import assert_identical, dataset, only_on, state
from tests.models import classify, cnn


@pytest.mark.parametrize("m", [0, -4, 2.5, 4.0, True, "all", [4], np.float32(4)])
def test_an_m_that_is_none(m):
    with pytest.raises(ValueError, match=r"`m` must be a positive integer.*Received: m="):
        keras_sam.SAMModel(*cnn(), m=m)


def test_an_m_of_numpy():
    assert keras_sam.SAMModel(*cnn(), m=np.int64(4)).m == 4


@pytest.mark.parametrize("source", ["arrays", "dataset", "batch"])
def test_an_m_above_the_batch_of_one_device(images, source):
    model = classify(keras_sam.SAMModel(*cnn(), m=32))
    model.optimizer.build(model.trainable_weights)
    before = state(model)
    message = "Received: m=32, with 16 examples on each replica and 1 replica"
    with pytest.raises(ValueError, match=message):
        if source == "arrays":
            model.fit(*images, batch_size=16, verbose=0)
        elif source == "dataset":
            data = dataset(images, 16)
            model.fit(data, shuffle=False, verbose=0)
        else:
            model.train_on_batch(*(a[:16] for a in images))
    assert_identical(state(model)[: len(before)], before)
    model.evaluate(*images, batch_size=8, verbose=0)
    model.fit(*images, batch_size=32, verbose=0)


@only_on("jax", "The others do not split a mesh.")
def test_groups_of_devices_that_would_end_the_process(monkeypatch):
    import jax

    if not jax.config.jax_use_shardy_partitioner:
        pytest.skip("XLA's former partitioner does not end it.")
    monkeypatch.setattr(jax, "__version_info__", (0, 9, 2))
    keras.distribution.set_distribution(jax_devices.data_parallel(4)())
    model = classify(keras_sam.SAMModel(*jax_devices.network(), m=8))
    try:
        with pytest.raises(ValueError, match="4 devices in 2 groups, with JAX"):
            model.fit(*jax_devices.DATA, batch_size=16, verbose=0)
    finally:
        keras.distribution.set_distribution(None)


def test_groups_of_a_sum(images):
    model = keras_sam.SAMModel(*cnn(), m=4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    model.compile("sgd", loss)
    with pytest.raises(ValueError, match=r"a mean over examples.*reduction=sum"):
        model.fit(*images, verbose=0)


def test_groups_with_a_state_for_each_example():
    inputs = keras.Input(batch_shape=(8, 5, 2))
    layer = layers.LSTM(3, stateful=True, name="memory")
    model = keras_sam.SAMModel(inputs, layer(inputs), m=4)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="layer=memory with stateful=True"):
        model.fit(np.ones((8, 5, 2)), np.ones((8, 3)), batch_size=8, verbose=0)


def test_groups_of_an_output_without_rows():
    inputs = keras.Input((4,))
    outputs = layers.Lambda(keras.ops.mean)(layers.Dense(2)(inputs))
    model = keras_sam.SAMModel(inputs, outputs, m=4)
    model.compile("sgd", lambda y, y_pred: y_pred)
    with pytest.raises(ValueError, match=r"each output .* a row for each example.*\(\)"):
        model.fit(np.ones((8, 4)), np.ones(8), batch_size=8, verbose=0)


def test_groups_that_assign_different_variables():
    class Fickle(layers.Layer):
        def build(self, shape):
            self.states = [self.add_weight(trainable=False, name=f"s{i}") for i in "ab"]
            self.calls = 0

        def call(self, x):
            self.calls += 1
            self.states[self.calls // 3 % 2].assign(1.0)
            return x

    inputs = keras.Input((4,))
    model = keras_sam.SAMModel(inputs, Fickle()(layers.Dense(2)(inputs)), m=4)
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ValueError, match=r"each group .* the same variables"):
        model.fit(np.ones((16, 4)), np.ones((16, 2)), batch_size=16, verbose=0)

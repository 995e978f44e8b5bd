"""Batch norm whose statistics stay."""

import keras
import numpy as np
from architectures.frozen import FrozenStatistics
from keras import layers

import keras_sam
from tests.helpers import array


def test_a_step_keeps_the_statistics():
    norm = FrozenStatistics()
    stack = [keras.Input((8,)), layers.Dense(4), norm, layers.Dense(3)]
    model = keras_sam.SAMModel.from_model(keras.Sequential(stack))
    statistics = [np.array([1.0, -2.0, 0.5, 3.0]), np.array([4.0, 1.0, 0.25, 9.0])]
    norm.set_weights([*norm.get_weights()[:2], *statistics])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    np.testing.assert_array_equal(array(model(x, training=True)), array(model(x)))
    before = norm.get_weights()
    model.train_on_batch(x, np.array([0, 1, 2, 0, 1, 2]))
    moved = [(a != b).any() for a, b in zip(before, norm.get_weights())]
    assert moved == [True, True, False, False]  # gamma, beta and the statistics


def test_frozen_statistics_by_hand():
    norm = FrozenStatistics(epsilon=0.25)
    norm.build((None, 2))
    gamma, beta, mean, variance = np.array([[2, 3], [1, -1], [5, 7], [0.75, 3.75]])
    norm.set_weights([gamma, beta, mean, variance])
    x = np.random.default_rng(0).normal(size=(4, 2))
    expected = gamma * (x - mean) / np.sqrt(variance + 0.25) + beta
    np.testing.assert_allclose(array(norm(x, training=True)), expected, rtol=1e-5)
    np.testing.assert_array_equal(norm.get_weights()[2:], [mean, variance])

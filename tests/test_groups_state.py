"""What moves from one group of m examples to the next, and what is averaged."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from tests.helpers import BACKEND, MODES, array, assert_identical, groups_of, only_on, state
from tests.models import Counting, classify, cnn
from tests.regression import RATE, RHO, network
from tests.regression import data as regression_data


@pytest.mark.parametrize("static", [True, False])
def test_groups_draw_different_masks_and_both_passes_the_same(static):
    # The loss is linear in w, and each group has 50 weights of its own: their move is the
    # mask that it drew, and the loss rises by rho ||g|| on that mask alone.
    ones, group = keras.Input((50,)), keras.Input((3,))
    masked = layers.Dropout(0.5, seed=1)(ones)
    placed = ops.expand_dims(masked, 1) * ops.expand_dims(group, 2)
    outputs = layers.Dense(1, use_bias=False)(layers.Flatten()(placed))
    model = keras_sam.SAMModel([ones, group], outputs, rho=RHO, m=4)
    model.compile(keras.optimizers.SGD(1.0), lambda y, y_pred: y_pred)
    kernel = model.trainable_weights[0]
    moves = []
    for _ in range(2):
        before = array(kernel)
        args = (np.ones((12, 50)), np.repeat(np.eye(3), 4, 0)), np.ones((12, 1))
        if static:
            model.reset_metrics()
            sharpness = model.train_on_batch(*args, return_dict=True)["sharpness"]
        else:
            history = model.fit(*args, shuffle=False, verbose=0).history
            sharpness = history["sharpness"][0]
        moves += np.split((before - array(kernel))[:, 0], 3)
        rise = sum(RHO * np.linalg.norm(move) for move in moves[-3:])
        np.testing.assert_allclose(sharpness, rise, rtol=1e-5)
    # A unit that k of a group's 4 examples keep has moved by 2 k / 12.
    assert len({tuple((6 * move).round()) for move in moves}) == 6


@pytest.mark.parametrize("mode", MODES)
def test_metrics_and_counters_go_on_and_averages_are_averaged(mode):
    counting = Counting()
    inputs = keras.Input((2,))
    model = keras_sam.SAMModel(inputs, layers.Dense(1)(counting(inputs)), m=4)
    model.compile("sgd", "mse", **mode)
    x = np.arange(20.0).reshape(10, 2)
    model.fit(x, np.zeros(10), batch_size=10, shuffle=False, verbose=0)
    assert float(counting.mean.count) == 10.0
    np.testing.assert_allclose(array(counting.mean.result()), x.mean(), rtol=1e-6)
    assert int(counting.calls) == 3
    np.testing.assert_allclose(counting.average, 0.5 + 0.5 * x.mean(), rtol=1e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no sparse inputs there.")
@pytest.mark.parametrize("mode", MODES[:2])
def test_sparse_inputs(float64, mode):
    tf = pytest.importorskip("tensorflow")
    x, y, _ = regression_data(n=7)
    x = x * (x > 0)
    weights = []
    for sparse in (False, True):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,), sparse=sparse)
        model = keras_sam.SAMModel(inputs, layers.Dense(2)(inputs), rho=RHO, m=3)
        model.compile(keras.optimizers.SGD(RATE), "mse", **mode)
        rows = tf.sparse.from_dense(x) if sparse else x
        model.fit(tf.data.Dataset.from_tensors((rows, y)), shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_mixed_float16_skips_a_step_that_is_not_finite(images):
    keras.config.set_dtype_policy("mixed_float16")
    model = classify(keras_sam.SAMModel(*cnn(), rho=0.5, m=3), "sgd")
    before = model.get_weights()
    model.fit(*images, batch_size=16, verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights()))
    before = model.get_weights()
    iterations = int(model.optimizer.iterations)
    x, y = (a[:16] for a in images)
    model.train_on_batch(np.where(np.arange(16) == 9, np.inf, x.T).T, y)
    assert int(model.optimizer.iterations) == iterations
    trainable = [v.path for v in model.trainable_weights]
    for variable, w in zip(model.weights, before):
        if variable.path in trainable:
            np.testing.assert_array_equal(array(variable), w)


def test_it_is_kept_in_files_and_configs(tmp_path, images):
    model = classify(keras_sam.SAMModel(*cnn(seed=1), m=8))
    model.fit(*images, batch_size=16, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.m == 8
    for m in (model, loaded):
        m.fit(*images, batch_size=16, shuffle=False, verbose=0)
    assert_identical(state(loaded), state(model))
    plain = keras.Sequential([layers.Dense(1)])
    shared = keras_sam.SAMModel.from_model(plain, m="global")
    assert type(shared).from_config(shared.get_config()).m == "global"


def test_short_batches_after_a_full_one():
    x, y, _ = regression_data(10)
    model = keras_sam.SAMModel(*network(), rho=RHO, m=4)
    model.compile("sgd", "mse")
    for rows in groups_of(10, 8):
        model.train_on_batch(x[rows], y[rows])
    with pytest.raises(ValueError, match="m=4, with 2 examples"):
        other = keras_sam.SAMModel(*network(), m=4)
        other.compile("sgd", "mse")
        other.train_on_batch(x[:2], y[:2])


@only_on("tensorflow", "There are no graphs on the other backends.")
def test_the_graph_does_not_grow_with_the_number_of_groups(images):
    import tensorflow as tf

    def nodes(m):
        model = classify(keras_sam.SAMModel(*cnn(), m=m))
        model.optimizer.build(model.trainable_weights)
        step = tf.function(model.train_step)
        graph = step.get_concrete_function(tuple(a[:48] for a in images)).graph
        graph = graph.as_graph_def()
        return sum(len(f.node_def) for f in graph.library.function) + len(graph.node)

    assert nodes(24) == nodes(12) == nodes(3)

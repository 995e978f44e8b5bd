"""m examples share one perturbation, on one device."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_sam
from tests.conftest import (
    BACKEND,
    MODES,
    array,
    assert_identical,
    classify,
    cnn,
    long_if_eager,
    only_on,
    state,
)
from tests.test_step import RATE, RHO, Normalized, network, steepest
from tests.test_step import data as regression_data


def groups_of(n, m):
    return [slice(i, min(i + m, n)) for i in range(0, n, m)]


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("m", [2, 4])
def test_one_step_by_hand(float64, m, mode, static):
    x, y, sample_weight = batch = regression_data(n=6)
    model = keras_sam.SAMModel(*network(), rho=RHO, m=m)
    model.compile(
        keras.optimizers.SGD(RATE), "mse", metrics=["mae"], weighted_metrics=["mse"], **mode
    )
    weights = [array(v) for v in model.trainable_weights]
    hand = Normalized(*weights)
    totals = [np.zeros_like(w) for w in weights]
    loss = sharpness = mean = variance = 0.0
    y_pred = np.zeros_like(y)
    for rows in groups_of(6, m):
        group = [a[rows] for a in batch]
        share = len(group[0]) / 6
        group_loss, g = hand.loss_and_gradients(weights, *group)
        mean, variance = mean + share * hand.mean, variance + share * hand.variance
        unit = (group[0] @ weights[0] - hand.mean) / np.sqrt(hand.variance + hand.epsilon)
        y_pred[rows] = unit * weights[1] + weights[2]
        w_eps = [w + e for w, e in zip(weights, steepest(g, 2, RHO))]
        loss_perturbed, s = hand.loss_and_gradients(w_eps, *group)
        totals = [total + share * a for total, a in zip(totals, s)]
        loss += share * group_loss
        sharpness += share * (loss_perturbed - group_loss)

    if static:
        logs = model.train_on_batch(*batch, return_dict=True)
    else:
        history = model.fit(
            x, y, 6, sample_weight=sample_weight, shuffle=False, verbose=0
        ).history
        logs = {name: values[0] for name, values in history.items()}
    for variable, w, total in zip(model.trainable_weights, weights, totals):
        np.testing.assert_allclose(array(variable), w - RATE * total, rtol=1e-12)
    keep = hand.momentum
    moving_mean, moving_variance = model.layers[2].non_trainable_weights
    np.testing.assert_allclose(array(moving_mean), (1 - keep) * mean, rtol=1e-12)
    np.testing.assert_allclose(
        array(moving_variance), keep + (1 - keep) * variance, rtol=1e-12
    )
    np.testing.assert_allclose(logs["loss"], loss, rtol=1e-6)
    np.testing.assert_allclose(logs["sharpness"], sharpness, rtol=1e-6)
    np.testing.assert_allclose(logs["mae"], np.abs(y - y_pred).mean(), rtol=1e-6)
    error = ((y - y_pred) ** 2).mean(1)
    weighted = (sample_weight * error).sum() / sample_weight.sum()
    np.testing.assert_allclose(logs["mse"], weighted, rtol=1e-6)


class Rich(keras_sam.SAMModel):
    """Dicts, several inputs and outputs, embeddings, masks, `add_loss`, regularizers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(5, 4, mask_zero=True)
        self.lstm = layers.LSTM(3)
        self.dense = layers.Dense(3, activation="tanh", kernel_regularizer="l2")
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}
        self.unused = self.add_weight(shape=(2,), name="unused")

    def call(self, inputs):
        features = self.dense(inputs["numbers"])
        features = features + self.lstm(self.embedding(inputs["words"]))
        self.add_loss(0.5 * ops.mean(ops.square(features)))
        return {name: head(features) for name, head in self.heads.items()}


def rich_data(n):
    rng = np.random.default_rng(0)
    x = {"numbers": rng.normal(size=(n, 4)), "words": rng.integers(0, 5, (n, 6))}
    y = {"a": rng.normal(size=(n, 1)), "b": rng.normal(size=(n, 2))}
    return x, y, {name: rng.uniform(0.5, 2, n) for name in y}


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("n, m", [(8, 4), (7, 3), (4, 1)])
@pytest.mark.parametrize("mode", long_if_eager(MODES[:2]))
def test_a_step_is_the_mean_of_the_steps_of_its_groups(float64, n, m, mode):
    def step(m, rows, before=None):
        batch = keras.tree.map_structure(lambda a: a[rows], rich_data(n))
        model = Rich(rho=0.5, m=m)
        model.compile(
            keras.optimizers.SGD(1.0),
            {"a": "mse", "b": "mae"},
            loss_weights={"a": 0.5, "b": 2.0},
            **mode,
        )
        model(batch[0])
        before = before or model.get_weights()
        model.set_weights(before)
        logs = model.train_on_batch(*batch, return_dict=True)
        moves = [b - a for a, b in zip(before, model.get_weights())]
        return before, moves, [logs["loss"], logs["sharpness"]]

    before, actual, logs = step(m, slice(n))
    steps = [(step(None, rows, before), rows) for rows in groups_of(n, m)]
    shares = [(rows.stop - rows.start) / n for _, rows in steps]
    moves = zip(*(moves for (_, moves, _), _ in steps))
    expected = [sum(s * a for s, a in zip(shares, move)) for move in moves]
    for a, b in zip(actual, expected):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
    assert sum(np.any(a != 0) for a in actual) == len(actual) - 1  # All but the unused.
    expected = np.dot(shares, [logs for (_, _, logs), _ in steps])
    np.testing.assert_allclose(logs, expected, rtol=1e-6)


@pytest.mark.parametrize("mode", long_if_eager(MODES))
def test_m_of_the_batch_is_the_whole_batch_bit_for_bit(images, literal_graphs, mode):
    # The last batch has 2 examples: one group.
    runs = []
    for m in (None, "global", 16):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = classify(keras_sam.SAMModel(*cnn(), rho=0.5, m=m), **mode)
        history = model.fit(*images, batch_size=16, epochs=2, verbose=0).history
        runs.append(state(model) + list(history.values()))
    assert_identical(runs[1], runs[0])
    assert_identical(runs[2], runs[0])


def test_without_a_perturbation_the_groups_are_the_batch(images):
    weights = []
    for m in (None, 5):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((8, 8, 1))
        outputs = layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(inputs)))
        model = classify(keras_sam.SAMModel(inputs, outputs, rho=0.0, m=m))
        model.fit(*images, batch_size=16, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


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


class Counting(layers.Layer):
    """Has a metric, a counter and a moving average, which its `call` moves."""

    def __init__(self):
        super().__init__()
        self.mean = keras.metrics.Mean(name="mean_of_inputs")
        self.calls = self.add_weight(dtype="int32", trainable=False, initializer="zeros")
        self.average = self.add_weight(trainable=False, initializer="ones")

    def call(self, x):
        self.mean.update_state(x)
        self.calls.assign_add(1)
        self.average.assign(0.5 * self.average + 0.5 * ops.mean(x))
        return x


@pytest.mark.parametrize("mode", MODES)
def test_metrics_and_counters_go_on_and_averages_are_averaged(mode):
    counting = Counting()
    inputs = keras.Input((2,))
    model = keras_sam.SAMModel(inputs, layers.Dense(1)(counting(inputs)), m=4)
    model.compile("sgd", "mse", **mode)
    x = np.arange(20.0).reshape(10, 2)
    model.fit(x, np.zeros(10), batch_size=10, shuffle=False, verbose=0)
    assert float(counting.mean.count) == 10.0
    np.testing.assert_allclose(counting.mean.result(), x.mean(), rtol=1e-6)
    assert int(counting.calls) == 3
    np.testing.assert_allclose(counting.average, 0.5 + 0.5 * x.mean(), rtol=1e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no sparse inputs there.")
@pytest.mark.parametrize("mode", MODES[:2])
def test_sparse_inputs(float64, mode):
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


@pytest.mark.parametrize("how", ["dataset", "steps_per_execution", "generator"])
def test_other_ways_to_train(images, how):
    if (BACKEND, how) == ("torch", "steps_per_execution"):
        pytest.skip("Keras takes one step at a time there.")

    def batches():
        for rows in groups_of(50, 16):
            yield tuple(a[rows] for a in images)

    weights = []
    for other in (False, True):
        keras.utils.set_random_seed(1)
        steps = 3 if other and how == "steps_per_execution" else 1
        model = classify(keras_sam.SAMModel(*cnn(), m=5), steps_per_execution=steps)
        if other and how == "dataset":
            data = tf.data.Dataset.from_tensor_slices(images).batch(16)
            model.fit(data, shuffle=False, verbose=0)
        elif other and how == "generator":
            model.fit(batches(), steps_per_epoch=4, shuffle=False, verbose=0)
        else:
            model.fit(*images, batch_size=16, shuffle=False, verbose=0)
        weights.append(state(model))
    assert_identical(*weights)


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
    def nodes(m):
        model = classify(keras_sam.SAMModel(*cnn(), m=m))
        model.optimizer.build(model.trainable_weights)
        step = tf.function(model.train_step)
        graph = step.get_concrete_function(tuple(a[:48] for a in images)).graph
        graph = graph.as_graph_def()
        return sum(len(f.node_def) for f in graph.library.function) + len(graph.node)

    assert nodes(24) == nodes(12) == nodes(3)


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

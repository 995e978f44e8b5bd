"""m examples share one perturbation, on one device."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from tests.helpers import (
    BACKEND,
    MODES,
    array,
    assert_identical,
    dataset,
    groups_of,
    long_but_the_first,
    long_if_eager,
    state,
)
from tests.models import classify, cnn
from tests.regression import RATE, RHO, Normalized, network, steepest
from tests.regression import data as regression_data


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
@pytest.mark.parametrize(
    "n, m", [pytest.param(8, 4, marks=pytest.mark.slow), (7, 3), (4, 1)]
)
@pytest.mark.parametrize("mode", long_if_eager(MODES[:2]))
def test_a_step_is_the_mean_of_the_steps_of_its_groups(float64, n, m, mode):
    def rich(m):
        model = Rich(rho=0.5, m=m)
        model.compile(
            keras.optimizers.SGD(1.0),
            {"a": "mse", "b": "mae"},
            loss_weights={"a": 0.5, "b": 2.0},
            **mode,
        )
        model(rich_data(n)[0])
        return model

    def step(model, rows):
        """From the same weights, with the model's one optimizer, which has no memory."""
        batch = keras.tree.map_structure(lambda a: a[rows], rich_data(n))
        model.set_weights(before)
        model.reset_metrics()
        logs = model.train_on_batch(*batch, return_dict=True)
        moves = [b - a for a, b in zip(before, model.get_weights())]
        return moves, [logs["loss"], logs["sharpness"]]

    grouped, whole = rich(m), rich(None)
    before = grouped.get_weights()
    actual, logs = step(grouped, slice(n))
    steps = [(step(whole, rows), rows) for rows in groups_of(n, m)]
    shares = [(rows.stop - rows.start) / n for _, rows in steps]
    moves = zip(*(moves for (moves, _), _ in steps))
    expected = [sum(s * a for s, a in zip(shares, move)) for move in moves]
    for a, b in zip(actual, expected):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
    assert sum(np.any(a != 0) for a in actual) == len(actual) - 1  # All but the unused.
    expected = np.dot(shares, [logs for (_, logs), _ in steps])
    np.testing.assert_allclose(logs, expected, rtol=1e-6)


@pytest.mark.parametrize("mode", long_but_the_first(MODES))
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
            data = dataset(images, 16)
            model.fit(data, shuffle=False, verbose=0)
        elif other and how == "generator":
            model.fit(batches(), steps_per_epoch=4, shuffle=False, verbose=0)
        else:
            model.fit(*images, batch_size=16, shuffle=False, verbose=0)
        weights.append(state(model))
    assert_identical(*weights)

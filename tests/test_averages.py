"""Averages of the weights (`use_ema`), and a second optimizer, with such steps."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import array, assert_identical, state
from tests.models import classify, rows, small
from tests.rules import rules

DECAY = 0.75
RULES = {"paper": dict, "remembers": lambda: rules("friendly", "gsam", "look")}
each_rule = pytest.mark.parametrize("make_rules", RULES.values(), ids=RULES)


def optimizer(**kwargs):
    return keras.optimizers.SGD(0.1, momentum=0.9, **kwargs)


def averaging():
    return optimizer(use_ema=True, ema_momentum=DECAY)


def model_of(make_rules, make_optimizer):
    keras.utils.set_random_seed(1)
    return classify(keras_sam.SAMModel(*small(), rho=0.3, **make_rules()), make_optimizer())


def fit(model, epochs=2, begin=0, **kwargs):
    return model.fit(
        *rows(),
        batch_size=8,
        initial_epoch=begin,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        **kwargs,
    ).history


def trainable(model):
    return [array(v) for v in model.trainable_weights]


@each_rule
def test_the_average_is_that_of_the_restored_weights(make_rules):
    """By hand, from the weights after each step: none at w + eps is in it."""
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(trainable(model))
    )
    model = model_of(make_rules, averaging)
    start = trainable(model)
    fit(model, callbacks=[look])
    # Keras's average begins with the weights after the first step.
    average = seen[0]
    for weights in seen[1:]:
        average = [DECAY * a + (1 - DECAY) * w for a, w in zip(average, weights)]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    assert len(seen) == 6 and any((a != w).any() for a, w in zip(start, seen[0]))
    for found, expected in zip(trainable(model), average):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@each_rule
def test_it_trains_as_without(make_rules):
    """And `SwapEMAWeights` shows the average to validation alone."""
    averaged, alone = (model_of(make_rules, make) for make in (averaging, optimizer))
    logs = fit(
        averaged,
        validation_data=rows(),
        callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=False)],
    )
    weights = []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: weights.append(trainable(alone))
    )
    fit(alone, callbacks=[look])
    average = weights[0]
    for one in weights[1:]:
        average = [DECAY * a + (1 - DECAY) * w for a, w in zip(average, one)]
    # The callback leaves the averages in the model, and the weights in the optimizer.
    assert_identical(trainable(averaged), average, rtol=1e-5)
    evaluated = averaged.evaluate(*rows(), verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["val_loss"][-1], evaluated["loss"], rtol=1e-5)


@each_rule
def test_a_file_has_the_averages(make_rules, tmp_path):
    """The end of a `fit` puts them into the model, here as in plain Keras."""
    model, expected = (model_of(make_rules, averaging) for _ in range(2))
    fit(model)
    fit(expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (loaded, expected):
        fit(each, epochs=4, begin=2)
    assert_identical(state(loaded), state(expected), rtol=1e-6)


@each_rule
def test_a_second_optimizer(make_rules):
    """`compile` again: Adam begins anew, and its first step is its learning rate."""
    model = model_of(make_rules, optimizer)
    fit(model)
    classify(model, keras.optimizers.Adam(0.01, epsilon=1e-12))
    before = trainable(model)
    x, y = rows(8)
    model.train_on_batch(x, y)
    assert int(model.optimizer.iterations) == 1
    for old, new in zip(before, trainable(model)):
        moved = np.abs(new - old)[np.abs(new - old) > 1e-6]
        np.testing.assert_allclose(moved, 0.01, rtol=0.1)  # Or not at all.

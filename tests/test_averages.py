"""Averages of the weights (`use_ema`), and a second optimizer, with such steps."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import BACKEND, array, assert_identical, state
from tests.loops import batches_of
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


def steps(model, epochs=2):
    """The trainable weights after each step."""
    found = []
    for _ in range(epochs):
        for x, y in batches_of(*rows(), 8):
            model.train_on_batch(x, y)
            found.append(trainable(model))
    return found


def average(weights):
    """By hand: it begins with the weights after the first step, as Keras's does."""
    average = weights[0]
    for one in weights[1:]:
        average = [DECAY * a + (1 - DECAY) * w for a, w in zip(average, one)]
    return average


@each_rule
def test_the_average_is_that_of_the_restored_weights(make_rules):
    """None at w + eps is in it, and it changes no step."""
    model, alone = (model_of(make_rules, make) for make in (averaging, optimizer))
    weights = steps(model)
    assert_identical(weights[-1], steps(alone)[-1])
    model.optimizer.finalize_variable_values(model.trainable_variables)
    assert_identical(trainable(model), average(weights), rtol=1e-5)


@each_rule
def test_validation_is_on_the_average(make_rules):
    model, alone = (model_of(make_rules, make) for make in (averaging, optimizer))
    swap = keras.callbacks.SwapEMAWeights()
    logs = fit(model, validation_data=rows(), callbacks=[swap])
    for variable, value in zip(alone.trainable_weights, average(steps(alone))):
        variable.assign(value)
    statistics = zip(alone.non_trainable_weights, model.non_trainable_weights)
    for variable, other in statistics:
        variable.assign(other)
    evaluated = alone.evaluate(*rows(), verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["val_loss"][-1], evaluated["loss"], rtol=1e-5)


@pytest.mark.skipif(BACKEND == "jax", reason="There a second `fit` fails in plain Keras.")
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
    # Without the bias before batch norm, whose gradient is rounding alone.
    for i in (0, 2, 3, 4, 5):
        moved = np.abs(trainable(model)[i] - before[i])
        np.testing.assert_allclose(moved, 0.01, rtol=1e-2)

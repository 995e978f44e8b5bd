"""What the rules of a step are given; and that the lists of all rules are whole."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.helpers import BACKEND, array, assert_identical, without_a_gradient
from tests.memories import REMEMBERING
from tests.models import classify, rows, small
from tests.rules import ASCENTS, DESCENTS, SCHEDULES


def test_a_step_that_overflows_is_forgotten():
    keras.config.set_dtype_policy("mixed_float16")
    model = keras_sam.SAMModel(*small(), ascent=ascents.Friendly())
    classify(model, keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))
    x, y = rows(8)
    model.train_on_batch(x, y)
    before = [array(v) for v in model._sharpness_aware.memory.all]
    assert all(np.isfinite(v).all() for v in before) and any(v.any() for v in before)
    model.train_on_batch(x * np.float32(1e30), y)
    after = [array(v) for v in model._sharpness_aware.memory.all]
    assert all(np.isfinite(v).all() for v in after)


def test_what_is_remembered_does_not_depend_on_the_loss_scale():
    results = []
    for scale in (1.0, 1024.0):
        keras.utils.set_random_seed(0)
        optimizer = keras.optimizers.SGD(0.1, loss_scale_factor=scale)
        model = keras_sam.SAMModel(
            *small(), ascent=ascents.Friendly(), schedule=schedules.Adaptive(0.2)
        )
        classify(model, optimizer)
        model.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
        memory = [array(v) for v in model._sharpness_aware.memory.all]
        results.append(model.get_weights() + memory)
    assert_identical(results[1], results[0], rtol=1e-4)


def test_a_weight_without_a_gradient_has_one_of_zeros_and_stays():
    seen = []

    class Seen(ascents.Ascent):
        def __call__(self, weights, gradients, rho):
            seen.append([array(g) for g in gradients])
            return [keras.ops.ones_like(w) for w in weights]

    class Net(keras_sam.SAMModel):
        def build(self, shape):
            self.unused = self.add_weight(shape=(2,), name="unused")
            self.used = self.add_weight(shape=(8, 3), name="used")

        def call(self, x):
            return x @ self.used

    model = Net(ascent=Seen(), descent=descents.Weighted())
    classify(model, **({} if BACKEND == "torch" else {"run_eagerly": True}))
    with without_a_gradient():
        model.train_on_batch(*rows(8))
    (gradients,) = seen
    np.testing.assert_array_equal(gradients[0], np.zeros(2))
    assert gradients[1].any()


def public(module, base):
    classes = [getattr(module, name) for name in module.__all__]
    return {cls for cls in classes if issubclass(cls, base)}


@pytest.mark.parametrize(
    "rules, classes",
    [
        # A direction of one's own makes more of it; as it is, it is the ball.
        (ASCENTS, public(ascents, ascents.Ascent) - {ascents.Ascent, ascents.Metric}),
        (DESCENTS, public(descents, descents.Descent) - {descents.Descent}),
        (SCHEDULES, public(schedules, schedules.Schedule)),
    ],
)
def test_the_lists_are_whole(rules, classes):
    assert {type(make()) for make in rules.values()} == classes


def test_the_list_of_those_that_remember_is_whole():
    """Random directions remember how far their seed has come: no gradients."""
    weights = [keras.ops.ones(2)]
    rules = [make() for make in (*ASCENTS.values(), *SCHEDULES.values())]
    remembering = {
        type(rule)
        for rule in rules
        if rule.init(weights) or getattr(rule, "reuse", None) is not None
    }
    listed = {type(make()) for of in REMEMBERING.values() for make in of.values()}
    assert remembering - {ascents.RandomDirection} == listed

"""`descents.Functional`: the loss's derivative stays at w, whatever else a model has."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import descents, schedules
from tests.helpers import array, assert_identical
from tests.models import classify, rows, small


def test_a_linear_model_with_squared_loss_is_plain_training():
    """Its Jacobian is the same everywhere."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 12, 4)).astype("float32")
    results = []
    for rho in (0.5, 0):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((4,))
        outputs = layers.Dense(4)(inputs)
        descent = descents.Functional()
        model = keras_sam.SAMModel(inputs, outputs, rho=rho, descent=descent)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        logs = model.fit(x, y, batch_size=4, shuffle=False, verbose=0).history
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert logs["sharpness"] == [0]


def test_the_sharpness_shown_is_that_of_the_loss():
    shown = []
    for descent in (None, descents.Functional()):
        keras.utils.set_random_seed(0)
        model = classify(keras_sam.SAMModel(*small(), rho=0.5, descent=descent))
        shown.append(model.fit(*rows(8), batch_size=8, verbose=0).history["sharpness"])
    np.testing.assert_allclose(*shown, rtol=1e-5)
    assert shown[0][0] > 0.01


class Two(keras.Model):
    """Two outputs, of which one has a mask."""

    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(5, 4, mask_zero=True)
        self.head, self.other = layers.Dense(3), layers.Dense(2)

    def call(self, x):
        h = self.embed(x)
        return {"tokens": self.head(h), "mean": self.other(ops.mean(h, 1))}


def masked(outputs, x):
    """The loss of the model below, of these outputs."""
    keep = ops.cast(x != 0, "float32")
    tokens = ops.mean((outputs["tokens"] - 1) ** 2, -1)
    return ops.sum(tokens * keep) / ops.sum(keep) + ops.mean((outputs["mean"] - 2) ** 2)


def test_masks_and_several_outputs():
    """As a loop that computes the masked loss itself."""
    x = np.array([[1, 2, 0, 0], [3, 4, 1, 0], [2, 2, 2, 2]])
    y = {"tokens": np.ones((3, 4, 3), "float32"), "mean": 2 * np.ones((3, 2), "float32")}
    network = Two()
    network(x)
    fn = lambda x: masked(keras_sam.predictions(network(x)), x)  # noqa: E731
    descent = descents.Functional()
    grad = keras_sam.value_and_grad(fn, network, rho=0.5, descent=descent)
    expected = grad(ops.convert_to_tensor(x))
    assert expected.sharpness is None
    model = keras_sam.SAMModel.from_model(network, rho=0.5, descent=descent)
    model.compile(keras.optimizers.SGD(1.0), loss={"tokens": "mse", "mean": "mse"})
    before = model.get_weights()
    logs = model.train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], array(expected.loss), rtol=1e-5)
    moved = [b - a for a, b in zip(model.get_weights(), before)]
    for step, gradient in zip(moved, expected.gradients, strict=True):
        gradient = array(ops.convert_to_tensor(gradient))
        np.testing.assert_allclose(step, gradient, rtol=1e-4, atol=1e-6)


def test_a_loop_that_marks_nothing():
    model = keras.Model(*small())
    fn = lambda x: ops.mean(model(x) ** 2)  # noqa: E731
    grad = keras_sam.value_and_grad(fn, model, descent=descents.Functional())
    with pytest.raises(ValueError, match=r"keras_sam\.predictions.*Received: a `fn` that"):
        grad(ops.convert_to_tensor(rows(4)[0]))


@pytest.mark.parametrize("counts", [[1, 2], [2, 1]])
def test_a_loop_that_marks_others_at_the_perturbed_weights(counts):
    model, left = keras.Model(*small()), iter(counts)

    def fn(x):
        for _ in range(next(left)):
            y_pred = keras_sam.predictions(model(x))
        return ops.mean(y_pred**2)

    grad = keras_sam.value_and_grad(fn, model, descent=descents.Functional())
    with pytest.raises(ValueError, match=f"as often at w .* Received: {counts[1]} calls"):
        grad(ops.convert_to_tensor(rows(4)[0]))


def test_marks_mean_nothing_to_other_rules():
    y_pred = {"a": 1, "b": [2]}
    assert keras_sam.predictions(y_pred) is y_pred


def test_it_needs_the_whole_batch():
    with pytest.raises(ValueError, match=r"the whole batch at w\..*Received"):
        keras_sam.SAMModel(
            *small(), descent=descents.Functional(), schedule=schedules.Fraction(0.5)
        )
    model = classify(keras_sam.SAMModel(*small(), descent=descents.Functional()))
    with pytest.raises(ValueError, match="the whole batch at w"):
        model.schedule = schedules.Fraction(0.5)
    before = model.get_weights()
    assert model.schedule.fraction == 1
    assert_identical(model.get_weights(), before)

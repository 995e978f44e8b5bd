"""Shake-Shake and ShakeDrop, by hand."""

import keras
import numpy as np
import pytest
from architectures.gates import ShakeDrop, ShakeShake
from keras import layers

import keras_sam
from tests.helpers import array

N, RHO, RATE, KEEP, SEED = 12, 0.25, 0.5, 0.5, 3
X, Y = np.ones((N, 1), "float32"), np.zeros((N, 1), "float32")


class Images(layers.Layer):
    """Gives its weights, images for each example of the batch."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def build(self, shape):
        rng = np.random.default_rng(0)
        self.images = [
            self.add_weight(
                shape=(N, 2, 2, 1),
                initializer=lambda shape, dtype: rng.normal(size=shape).astype(dtype),
            )
            for _ in range(self.count)
        ]

    def call(self, x):
        images = [keras.ops.multiply(image, 1.0) for image in self.images]
        return images if self.count > 1 else images[0]


def network(gate, make=keras.Model, **settings):
    """The loss is the sum of the squares of the gate's output, halved."""
    inputs = keras.Input((1,))
    source = Images(2 if isinstance(gate, ShakeShake) else 1)
    model = make(inputs, gate(source(inputs)), **settings)
    model.compile(
        keras.optimizers.SGD(RATE),
        lambda y, y_pred: N * keras.ops.sum(y_pred**2, axis=(1, 2, 3)) / 2,
    )
    return model


def shake_shake_factors():
    """Those of both branches, forward and backward."""
    seed = keras.random.SeedGenerator(SEED)
    forward, backward = (array(keras.random.uniform((N, 1, 1, 1), seed=seed)) for _ in "12")
    return [(forward, backward), (1 - forward, 1 - backward)]


def shake_drop_factors():
    seed = keras.random.SeedGenerator(SEED)
    kept = array(keras.random.uniform((N, 1, 1, 1), seed=seed)) < KEEP
    alpha = array(keras.random.uniform((N, 1, 1, 1), -1, 1, seed=seed))
    beta = array(keras.random.uniform((N, 1, 1, 1), seed=seed))
    assert kept.any() and not kept.all() and (alpha < 0).any()
    b = kept.astype("float32")
    return [(b + alpha - b * alpha, b + beta - b * beta)]


GATES = [
    (lambda: ShakeShake(seed=SEED), shake_shake_factors),
    (lambda: ShakeDrop(KEEP, seed=SEED), shake_drop_factors),
]
both = pytest.mark.parametrize("gate, factors", GATES, ids=["shake-shake", "shake-drop"])


def gradients(images, factors, ascent_pass):
    output = sum(forward * image for image, (forward, _) in zip(images, factors))
    return [(forward if ascent_pass else back) * output for forward, back in factors]


@both
def test_plain_training(gate, factors):
    model = network(gate())
    before = [array(v) for v in model.trainable_variables]
    loss = model.train_on_batch(X, Y)
    factors = factors()
    output = sum(forward * image for image, (forward, _) in zip(before, factors))
    np.testing.assert_allclose(loss, (output**2).sum() / 2, rtol=1e-5)
    descent = gradients(before, factors, ascent_pass=False)
    for variable, w, g in zip(model.trainable_variables, before, descent):
        np.testing.assert_allclose(array(variable), w - RATE * g, rtol=1e-5, atol=1e-6)


@both
def test_the_ascent_is_by_the_true_gradient(gate, factors):
    model = network(gate(), keras_sam.SAMModel, rho=RHO)
    before = [array(v) for v in model.trainable_variables]
    model.train_on_batch(X, Y)
    factors = factors()
    ascent = gradients(before, factors, ascent_pass=True)
    norm = np.sqrt(sum((g**2).sum() for g in ascent))
    perturbed = [w + RHO * g / norm for w, g in zip(before, ascent)]
    descent = gradients(perturbed, factors, ascent_pass=False)
    for variable, w, g in zip(model.trainable_variables, before, descent):
        np.testing.assert_allclose(array(variable), w - RATE * g, rtol=1e-5, atol=1e-6)


@both
def test_each_step_has_gates_of_its_own(gate, factors):
    outputs = [array(network(gate())(X, training=True))]
    layer = network(gate())
    outputs += [array(layer(X, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[1] != outputs[2]).any(axis=(1, 2, 3)).sum() >= 3


def test_inference():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, N, 3, 3, 2)).astype("float32")
    np.testing.assert_allclose(array(ShakeShake()([a, b])), (a + b) / 2, rtol=1e-6)
    np.testing.assert_allclose(array(ShakeDrop(0.6)(a)), 0.6 * a, rtol=1e-6)


def test_expectation_of_training():
    """That of shake-drop in inference is the mean of what it gives in training."""
    ones = np.ones((20_000, 1, 1, 1), "float32")
    dropped = array(ShakeDrop(0.6, seed=0)(ones, training=True))
    np.testing.assert_allclose(dropped.mean(), 0.6, atol=0.02)
    assert (dropped == 1).mean() == pytest.approx(0.6, abs=0.02)
    assert dropped.min() < -0.99
    mixed = array(ShakeShake(seed=0)([ones, 0 * ones], training=True))
    np.testing.assert_allclose(mixed.mean(), 0.5, atol=0.02)
    assert mixed.min() < 0.01 and mixed.max() > 0.99


def test_each_example_has_one_gate():
    ones = np.ones((N, 3, 3, 2), "float32")
    for output in (
        ShakeShake(seed=0)([ones, 0 * ones], training=True),
        ShakeDrop(0.0, seed=0)(ones, training=True),
    ):
        gate = array(output)[:, :1, :1, :1]
        np.testing.assert_array_equal(array(output), gate * ones)
        assert len(np.unique(gate)) == N


def test_half_precision():
    x = np.ones((N, 2, 2, 1), "float32")
    for layer, inputs in (
        (ShakeShake(dtype="mixed_bfloat16"), [x, x]),
        (ShakeDrop(0.5, dtype="mixed_bfloat16"), x),
    ):
        output = layer(inputs, training=True)
        assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"


@pytest.mark.parametrize("keep", [-0.1, 1.1])
def test_a_bad_probability(keep):
    with pytest.raises(ValueError, match=rf"`keep` must be .* Received: keep={keep}"):
        ShakeDrop(keep)

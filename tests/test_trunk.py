"""Operations that no perturbation reaches run once: the same step, at less cost."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import ascents, descents, schedules
from keras_sam._step.rules import Rules
from tests import memories
from tests.helpers import (
    BACKEND,
    MODES,
    array,
    assert_identical,
    long_but_the_first,
    long_if_eager,
    state,
)
from tests.models import classify, random_images
from tests.trunks import (
    HEAD,
    Adds,
    Inner,
    assert_shared_is_unshared,
    sharp,
    trained,
)


def of_sequence():
    stack = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(6),
            layers.Dropout(0.3, seed=1),
            layers.Dense(3, name="last"),
        ]
    )
    return keras_sam.SAMModel.from_model(stack, rho=0.5, ascent=HEAD)


def of_two_models():
    """The backbone is one node of the graph."""
    inputs = keras.Input((8, 8, 1))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    backbone = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
    inputs = keras.Input((8, 8, 1))
    outputs = layers.Dense(3, name="last")(backbone(inputs))
    model = keras.Model(inputs, outputs)
    return keras_sam.SAMModel.from_model(model, rho=0.5, ascent=HEAD)


def of_many_outputs():
    """Two inputs, a layer that runs on both, and an output of the trunk."""
    first, second = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    flat = layers.Flatten()
    shared = layers.Dense(4, activation="tanh")
    a, b = shared(flat(first)), shared(flat(second))
    outputs = layers.Dense(3, name="last")(ops.concatenate([a, b], -1))
    model = keras_sam.SAMModel([first, second], [outputs, a], rho=0.5, ascent=HEAD)
    model.compile(keras.optimizers.SGD(0.1), ["mse", "mae"])
    return model


@pytest.mark.parametrize("mode", long_if_eager(MODES))
def test_the_same_step(mode, monkeypatch):
    assert_shared_is_unshared(sharp, monkeypatch, **mode)


@pytest.mark.parametrize("mode", long_but_the_first(MODES))
def test_the_same_step_of_groups(mode, monkeypatch):
    assert_shared_is_unshared(lambda: sharp(m=3), monkeypatch, **mode)


@pytest.mark.parametrize(
    "settings",
    [
        {"m": 4},
        {"schedule": schedules.Every(2)},
        {"ascent": ascents.Friendly(variables="^(top|last)")},
        {"ascent": ascents.Adaptive(variables="^last")},
        {"ascent": ascents.LpBall(variables="^(top|last)", steps=2)},
    ],
    ids=str,
)
def test_rules(settings, monkeypatch):
    assert_shared_is_unshared(lambda: sharp(**settings), monkeypatch)


@pytest.mark.parametrize("make", [of_sequence, of_two_models, of_many_outputs])
def test_forms(make, monkeypatch):
    assert_shared_is_unshared(make, monkeypatch)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy, monkeypatch):
    keras.config.set_dtype_policy(policy)
    found = []
    for share in (True, False):
        model, history = trained(sharp, monkeypatch, share)
        found.append([*map(array, model.weights), history["loss"]])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=0.03, atol=0.01)


@pytest.mark.parametrize("settings, calls", [({}, 1), ({"descent": descents.GSAM(0.1)}, 2)])
def test_the_trunk_runs_once(settings, calls):
    """Where a rule needs all of the gradient at w, twice."""
    model = classify(sharp(**settings), run_eagerly=True)
    x, y = random_images(8)
    model.train_on_batch(x, y)
    Inner.calls = Adds.calls = 0
    model.train_on_batch(x, y)
    assert (Inner.calls, Adds.calls) == (calls, 2)


def test_a_trunk_that_is_not_trained(monkeypatch):
    """It goes with all rules, as nothing has to go back through it."""

    def make():
        model = sharp(descent=descents.GSAM(0.1), curvature=True)
        for layer in model.layers[:-6]:
            layer.trainable = False
        return model

    model, _ = trained(make, monkeypatch, True, run_eagerly=True)
    assert {w.path.split("/")[0] for w in model.trainable_weights} == {
        "top",
        "top_norm",
        "last",
    }
    Inner.calls = 0
    model.train_on_batch(*random_images(8))
    assert Inner.calls == 1
    assert_shared_is_unshared(make, monkeypatch)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
@pytest.mark.parametrize("m", [None, "global"])
def test_replicas(m, monkeypatch):
    found = []
    for share in (True, False):
        monkeypatch.setattr(Rules, "can_share", lambda self, trunk, share=share: share)
        keras.backend.clear_session()
        with memories.replicated(2):
            keras.utils.set_random_seed(1)
            model = classify(sharp(m=m))
            model.fit(*random_images(24), batch_size=8, shuffle=False, verbose=0)
        found.append(state(model))
        assert model._sharpness_aware.trunk.stands is (True if share else None)
    assert_identical(*found, rtol=2e-5)


def test_an_infinite_loss_at_the_perturbed_weights(monkeypatch):
    """Then the step is the plain one, in the trunk as well."""
    found = []
    for share in (True, False):
        model, history = trained(lambda: sharp(rho=1e30), monkeypatch, share)
        assert history["sharpness"] == [np.inf] * 2
        found.append(state(model))
    assert_identical(*found, rtol=2e-5)
    assert all(np.isfinite(w).all() for w in found[0])


@pytest.mark.skipif(BACKEND != "jax", reason="XLA counts.")
def test_the_flops_of_the_compiled_step():
    """Plain: three products in each Dense but the first, which has two. The head's three
    more at w + eps, and its gradient at w takes what goes to its input, too."""
    import jax

    def flops(cls, **settings):
        inputs = x = keras.Input((256,))
        for _ in range(6):
            x = layers.Dense(256)(x)
        model = cls(inputs, layers.Dense(8, name="last")(x), **settings)
        classify(model, keras.optimizers.SGD(0.1))
        x, y = np.ones((128, 256), "float32"), np.zeros(128, int)
        model.fit(x, y, batch_size=128, verbose=0)
        model._symbolic_build(data_batch=(x, y)) if not model.built else None
        state = model._get_jax_state(
            trainable_variables=True,
            non_trainable_variables=True,
            optimizer_variables=True,
            metrics_variables=True,
            purge_model_variables=False,
        )
        compiled = jax.jit(model.train_step).lower(state, (x, y)).compile()
        return compiled.cost_analysis()["flops"]

    plain = flops(keras.Model)
    shared = flops(keras_sam.SAMModel, ascent=HEAD) / plain
    assert shared < 1.03
    assert flops(keras_sam.SAMModel) / plain > 1.95

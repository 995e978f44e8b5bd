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
    long_if_eager,
    only_on,
    state,
)
from tests.models import classify, random_images

HEAD = ascents.LpBall(variables="(top|last)")


class Adds(layers.Layer):
    """Adds to the loss, and counts its calls."""

    calls = 0

    def call(self, x):
        type(self).calls += 1
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        return x


class Inner(Adds):
    """The same on the trunk's side."""


def network(side=8):
    """Dropout, batch norm, regularizers and added losses on either side of the cut."""
    inputs = keras.Input((side, side, 1))
    x = layers.Conv2D(4, 3, kernel_regularizer="l2", activity_regularizer="l1")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.3, seed=1)(Inner()(layers.ReLU()(x)))
    skip = layers.Flatten()(x)
    x = layers.Dense(6, name="top", kernel_regularizer="l2")(skip)
    x = layers.Dropout(0.3, seed=2)(Adds()(layers.BatchNormalization(name="top_norm")(x)))
    return inputs, layers.Dense(3, name="last")(layers.Concatenate()([x, skip * 0.5]))


def sharp(rho=0.5, ascent=HEAD, **settings):
    return keras_sam.SAMModel(*network(), rho=rho, ascent=ascent, **settings)


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


def trained(make, monkeypatch, share, fit=None, **mode):
    with monkeypatch.context() as patch:
        if not share:
            patch.setattr(Rules, "can_share", lambda self, trunk: False)
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = make()
        if not model.compiled:
            classify(model, **mode)
        fit = fit or {}
        x, y = random_images(24)
        if len(model.inputs) == 2:
            x, y = [x, x[::-1]], [np.eye(3)[y], np.ones((24, 4))]
        fit = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0} | fit
        history = model.fit(x, y, **fit).history
    return model, history


def assert_shared_is_unshared(make, monkeypatch, stands=True, **kwargs):
    found = []
    for share in (True, False):
        model, history = trained(make, monkeypatch, share, **kwargs)
        found.append([*state(model), *map(np.array, history.values())])
        assert model._sharpness_aware.trunk.stands is (stands if share else None)
    assert_identical(*found, rtol=2e-5)


@pytest.mark.parametrize("mode", long_if_eager(MODES))
@pytest.mark.parametrize("m", [None, 3])
def test_the_same_step(m, mode, monkeypatch):
    assert_shared_is_unshared(lambda: sharp(m=m), monkeypatch, **mode)


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


class Graphless(keras_sam.SAMModel):
    """A functional model whose `call` goes another way."""

    def call(self, x, training=None):
        for layer in self.layers[1:]:
            x = layer(x)
        return x


def straight():
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(6)(Inner()(layers.Flatten()(inputs)))
    return inputs, layers.Dense(3, name="last")(x)


def test_a_call_that_does_not_run_the_graph():
    results = []
    for cls in (keras_sam.SAMModel, Graphless):
        keras.utils.set_random_seed(1)
        model = classify(cls(*straight(), rho=0.5, ascent=HEAD), run_eagerly=True)
        for _ in range(2):
            Inner.calls = 0
            model.train_on_batch(*random_images(8))
        results.append((state(model), Inner.calls))
    assert_identical(results[0][0], results[1][0], rtol=1e-6)
    assert [calls for _, calls in results] == [1, 2]


class Gate(layers.Layer):
    """Gives something else in the ascent pass."""

    def __init__(self):
        super().__init__()
        self.w = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return x * self.w if keras_sam.in_ascent_pass() else x * ops.square(self.w)


def test_a_layer_that_is_another_in_the_ascent_pass(monkeypatch):
    def make():
        inputs = keras.Input((8, 8, 1))
        x = layers.Dense(4)(Gate()(layers.Flatten()(inputs)))
        return keras_sam.SAMModel(inputs, layers.Dense(3, name="last")(x), ascent=HEAD)

    assert_shared_is_unshared(make, monkeypatch, stands=False)


class Keeps(layers.Layer):
    """Hands on a tensor otherwise than as its output."""

    def build(self, shape):
        self.w = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        self.kept = {"mean": ops.mean(ops.square(x * self.w))}
        return x


class UsesIt(keras_sam.SAMModel):
    def compute_loss(self, *args, **kwargs):
        (keeps,) = (layer for layer in self.layers if isinstance(layer, Keeps))
        return super().compute_loss(*args, **kwargs) + keeps.kept["mean"]


class Twice(keras_sam.SAMModel):
    """Runs its graph a second time, on other images."""

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        return loss + ops.mean(ops.square(self(1 - x, training=True)))


def through(layer, cls=keras_sam.SAMModel, units=4):
    inputs = keras.Input((8, 8, 1))
    x = layer(layers.Dense(units)(layers.Flatten()(inputs)))
    return cls(inputs, layers.Dense(3, name="last")(x), rho=0.5, ascent=HEAD)


def borrowing():
    """A layer of the trunk multiplies by the bias of the last one."""
    last = layers.Dense(3, name="last", bias_initializer="ones")
    last.build((None, 3))
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(3)(layers.Flatten()(inputs))
    x = layers.Lambda(lambda x: x * last.bias, output_shape=(3,))(x)
    return keras_sam.SAMModel(inputs, last(x), rho=0.5, ascent=HEAD)


def words():
    """A mask goes from the trunk to the head."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Lambda(lambda x: ops.cast(ops.relu(x) * 3, "int32"))(
        layers.Flatten()(inputs)
    )
    x = layers.Embedding(16, 4, mask_zero=True)(x)
    x = layers.GlobalAveragePooling1D()(layers.Dense(4, name="top")(x))
    outputs = layers.Dense(3, name="last")(x)
    return keras_sam.SAMModel(inputs, outputs, rho=0.5, ascent=HEAD)


@pytest.mark.parametrize(
    "make, stands",
    [
        (lambda: through(Keeps(), UsesIt), False),
        (lambda: through(layers.ReLU(), Twice), True),
        (borrowing, False),
        (words, True),
    ],
    ids=["kept", "twice", "borrowing", "masks"],
)
def test_ways_around_the_outputs(make, stands, monkeypatch):
    assert_shared_is_unshared(make, monkeypatch, stands=stands)


def test_the_mask_of_the_loss(monkeypatch):
    """It comes from the trunk by way of the predictions."""
    rng, found = np.random.default_rng(0), []
    x, y = rng.integers(0, 3, (8, 6)), rng.normal(size=(8, 6, 2))
    for share in (True, False):
        monkeypatch.setattr(Rules, "can_share", lambda self, trunk, share=share: share)
        keras.utils.set_random_seed(1)
        inputs = keras.Input((6,), dtype="int32")
        embedded = layers.Embedding(3, 4, mask_zero=True)(inputs)
        outputs = layers.Dense(2, name="last")(embedded)
        model = keras_sam.SAMModel(inputs, outputs, rho=0.5, ascent=HEAD)
        model.compile("sgd", "mse")
        model.fit(x, y, verbose=0)
        found.append(state(model))
    assert_identical(*found, rtol=2e-5)


@only_on("torch", "Elsewhere tensors do not change.")
def test_a_head_that_changes_its_input(monkeypatch):
    class InPlace(layers.Layer):
        def build(self, shape):
            self.top = self.add_weight(name="top", shape=(4,), initializer="ones")

        def call(self, x):
            return x.mul_(0.5) * self.top

    assert_shared_is_unshared(lambda: through(InPlace()), monkeypatch)
    assert_shared_is_unshared(lambda: frozen(through(InPlace())), monkeypatch)


def frozen(model):
    model.layers[2].trainable = False
    return model


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


@pytest.mark.parametrize("variables", [None, "kernel", "^conv2d"])
def test_no_trunk(variables):
    model = classify(sharp(ascent=ascents.LpBall(variables=variables)))
    model.fit(*random_images(8), verbose=0)
    assert model._sharpness_aware.trunk is None


def test_state_that_both_sides_move():
    """A common generator: whose turn it is would change."""
    seeds = keras.random.SeedGenerator(1)
    inputs = keras.Input((8, 8, 1))
    x = Noise(seeds)(layers.Dense(4)(layers.Flatten()(inputs)))
    outputs = Noise(seeds)(layers.Dense(3, name="last")(x))
    model = classify(keras_sam.SAMModel(inputs, outputs, ascent=HEAD))
    model.fit(*random_images(8), verbose=0)
    assert model._sharpness_aware.trunk is None


class Noise(layers.Layer):
    def __init__(self, seeds):
        super().__init__()
        self.seeds = seeds

    def call(self, x):
        return x + keras.random.normal(ops.shape(x), seed=self.seeds)


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

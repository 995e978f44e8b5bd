"""Schedules that compose: when, on how many examples, and what happens in between."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.helpers import BACKEND, MODES, array, assert_identical
from tests.memories import LOCAL, REPLICAS, network, replicated
from tests.models import classify, rows, small

SOME = {
    "every": lambda **k: schedules.Every(2, **k),
    "between": lambda **k: schedules.Between(1, 3, "steps", **k),
    "adaptive": lambda **k: schedules.Adaptive(0.5, 0.7, **k),
    "always": lambda **k: schedules.Schedule(**k),
}
COMPILED = [m for m in MODES if not m.get("jit_compile")]


class Counted(layers.Layer):
    """Tells of each pass that runs, and of how many rows it is."""

    def __init__(self, seen):
        super().__init__()
        self.tell = seen.append  # Of a list, Keras would make one of its own.

    def call(self, x):
        size = x.shape[0]
        if BACKEND == "tensorflow":
            import tensorflow as tf

            tf.py_function(lambda n: self.tell(int(n)), [tf.shape(x)[0]], [])
        elif BACKEND == "jax":
            import jax

            if isinstance(size, int):  # Not in the pass by which Keras finds shapes.
                jax.debug.callback(lambda: self.tell(size))
        else:
            self.tell(size)
        return x


def passes(steps=4, mode=None, **settings):
    """Of each step, the numbers of rows of its passes."""
    seen, counts = [], []
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,), batch_size=8)
    outputs = layers.Dense(3)(Counted(seen)(layers.Dense(4)(inputs)))
    model = classify(keras_sam.SAMModel(inputs, outputs, rho=0.1, **settings), **mode or {})
    x, y = rows(8)
    for _ in range(steps):
        seen.clear()
        logs = model.train_on_batch(x, y, return_dict=True)
        if BACKEND == "jax":
            import jax

            jax.effects_barrier()
        counts.append(list(seen))
    return counts, logs


EVERY = {
    "plain": ({"schedule": schedules.Every(2)}, [8]),
    "reused": ({"schedule": schedules.Every(2, reuse=0.7)}, [8]),
    "fraction": ({"schedule": schedules.Every(2, fraction=0.25)}, [8]),
    "both": ({"schedule": schedules.Every(2, reuse=0.7, fraction=0.25)}, [8]),
    "two gradients": (
        {"schedule": schedules.Every(2, fraction=0.25), "descent": descents.GSAM()},
        [8],
    ),
    "several steps": (
        {"schedule": schedules.Every(2, fraction=0.25), "ascent": ascents.LpBall(steps=2)},
        [8],
    ),
    "remembers": (
        {"schedule": schedules.Every(2, fraction=0.25), "ascent": ascents.Averaged()},
        [2, 8],
    ),
    "remembers s": (
        {"schedule": schedules.Every(2, fraction=0.25), "ascent": ascents.LastStep()},
        [8],
    ),
}


@pytest.mark.parametrize("mode", COMPILED)
@pytest.mark.parametrize("name", EVERY)
def test_the_passes_that_run(name, mode):
    settings, plain = EVERY[name]
    # The first step may also check what the layers can reach, which is a pass.
    _, *counts = passes(mode=mode, **settings)[0]
    some = settings["schedule"].fraction < 1
    climbs = {"remembers s": [8], "several steps": [2, 2, 8]}
    climbs = climbs.get(name, [2, 8] if some else [8, 8])
    assert [sorted(c) for c in counts] == [plain, climbs, plain]


def test_an_adaptive_one_looks_at_the_fraction_of_each_step():
    _, *counts = passes(schedule=schedules.Adaptive(c=1e6, fraction=0.25))[0]
    assert [sorted(c) for c in counts] == [[2, 8]] * 3


@pytest.mark.parametrize("name", SOME)
def test_the_logs_have_a_sharpness_where_it_is_known(name):
    for fraction in (1.0, 0.5):
        for reuse in (None, 0.5):
            schedule = SOME[name](fraction=fraction, reuse=reuse)
            logs = passes(steps=2, schedule=schedule)[1]
            assert ("sharpness" in logs) is (fraction == 1)


@pytest.mark.parametrize("name", SOME)
def test_configs(name):
    plain = SOME[name]()
    assert not {"fraction"} & plain.get_config().keys()
    composed = SOME[name](fraction=0.25, reuse=0.5)
    config = keras.saving.serialize_keras_object(composed)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == composed.get_config()
    assert (copy.fraction, copy.reuse) == (0.25, 0.5)
    assert "fraction=0.25" in repr(copy) and "reuse=0.5" in repr(copy)


def test_configs_of_version_0_1_0():
    def loaded(name, **config):
        return keras.saving.deserialize_keras_object(
            {
                "module": "keras_sam.schedules.schedule",
                "class_name": name,
                "config": config,
                "registered_name": f"keras_sam>{name}",
            }
        )

    assert loaded("Fraction", fraction=0.5).fraction == 0.5
    assert loaded("Every", k=3, reuse=0.5).reuse == 0.5
    assert loaded("Every", k=3, reuse=None).reuse is None
    assert loaded("Between", start=1, end=None, unit="epochs").start == 1
    assert loaded("AdaptiveSchedule", c=0.5, decay=0.8).decay == 0.8
    assert type(loaded("Schedule")) is schedules.Schedule
    whole = schedules.Fraction(1.0)
    assert schedules.Fraction.from_config(whole.get_config()).fraction == 1.0


@keras.saving.register_keras_serializable("tests")
class Third(schedules.Schedule):
    """As one could be written before: its constructor calls no other."""

    fraction = 0.5

    def __init__(self, start):
        self.start = start

    def climbs(self, time, gradients, memory):
        return (time.iteration + self.start) % 3 == 0, memory

    def get_config(self):
        return {"start": self.start, **super().get_config()}


def test_a_schedule_of_ones_own_that_calls_no_other_constructor(tmp_path):
    model = classify(keras_sam.SAMModel(*small(), rho=0.5, schedule=Third(1)))
    model.fit(*rows(), batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.schedule.start, loaded.schedule.fraction) == (1, 0.5)


class Mean(schedules.Schedule):
    """Remembers by itself, and knows nothing of a reuse."""

    needs_gradient = True

    def init(self, weights):
        return [ops.zeros(())]

    def climbs(self, time, gradients, memory):
        (count,) = memory
        return time.iteration % 2 == 0, [count + 1]

    def climbed(self, gradients, perturbed, memory):
        return [memory[0] + 100]


def test_a_schedule_of_ones_own_goes_with_a_reuse():
    results = []
    for schedule in (schedules.Every(2, reuse=0.7), Mean(reuse=0.7)):
        keras.utils.set_random_seed(1)
        model = classify(keras_sam.SAMModel(*small(), rho=0.5, schedule=schedule))
        for _ in range(3):
            model.train_on_batch(*rows(8))
        memory = model._sharpness_aware.memory.values()["schedule"]
        results.append((model.get_weights(), memory))
    (weights, vectors), (own_weights, (own, *own_vectors)) = results
    assert_identical(own_weights, weights, rtol=1e-6)
    assert_identical(own_vectors, vectors, rtol=1e-5)
    np.testing.assert_array_equal(own, [203.0])


@keras.saving.register_keras_serializable("tests")
class Sometimes(schedules.Schedule):
    """SS-SAM, as in the docstring of `Schedule`."""

    def __init__(self, probability, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.probability, self.seed = probability, seed
        self.generator = keras.random.SeedGenerator(seed)

    def init(self, weights):
        return [self.generator.state.value + 0]

    def climbs(self, time, gradients, memory):
        (seed,) = memory
        with keras.StatelessScope([(self.generator.state, seed)]):
            number = keras.random.uniform((), seed=self.generator)
        step = ops.convert_to_tensor([0, 1], seed.dtype)
        return number < self.probability, [seed + step]

    def get_config(self):
        own = {"probability": self.probability, "seed": self.seed}
        return own | super().get_config()


def drawn(n, mode, probability=0.5, seed=3):
    """One after the other. XLA has another algorithm than TensorFlow without it."""
    generator = keras.random.SeedGenerator(seed)

    def draw():
        return keras.random.uniform((), seed=generator)

    if mode.get("jit_compile"):
        import tensorflow as tf

        draw = tf.function(draw, jit_compile=True)
    return [float(draw()) < probability for _ in range(n)]


def linear(**settings):
    """Its gradient is the mean of x, and its loss rises by rho ||g|| where it climbs."""
    inputs = keras.Input((2,))
    model = keras_sam.SAMModel(inputs, layers.Dense(1, use_bias=False)(inputs), **settings)
    return model


@pytest.mark.parametrize("mode", MODES)
def test_steps_at_random(mode, tmp_path):
    """As drawn one after the other; saved, it goes on where it was."""
    model = linear(rho=0.5, schedule=Sometimes(0.5, 3, reuse=0.5))
    model.compile("sgd", "mse", **mode)
    x, y = np.ones((4, 2)), np.zeros((4, 1))

    def climbs(model, n):
        logs = []
        for _ in range(n):
            model.reset_metrics()
            logs.append(float(model.train_on_batch(x, y, return_dict=True)["sharpness"]))
        return [rise != 0 for rise in logs]

    expected = drawn(12, mode)
    assert {*expected[:6]} == {*expected[6:]} == {True, False}
    assert climbs(model, 6) == expected[:6]
    model.save(tmp_path / "model.keras")
    assert climbs(model, 6) == expected[6:]
    assert climbs(keras.models.load_model(tmp_path / "model.keras"), 6) == expected[6:]


@pytest.mark.parametrize("mode", MODES)
def test_each_group_draws_for_itself(mode):
    model = linear(rho=0.5, m=2, schedule=Sometimes(0.5, 3))
    model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: y_pred, **mode)
    shares = []
    for _ in range(3):
        model.reset_metrics()
        logs = model.train_on_batch(np.ones((8, 2)), np.zeros((8, 1)), return_dict=True)
        shares.append(float(logs["sharpness"]) / (0.5 * 2**0.5))
    expected = np.reshape(drawn(12, mode), (3, 4)).mean(1)
    np.testing.assert_allclose(shares, expected, rtol=1e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
def test_replicas_draw_alike_on_tensorflow_and_each_for_itself_on_jax():
    shares = []
    with replicated():
        model = linear(rho=0.5, schedule=Sometimes(0.5, 3))
        model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: y_pred)
        for _ in range(6):
            logs = model.fit(np.ones((8, 2)), np.zeros((8, 1)), verbose=0).history
            shares.append(logs["sharpness"][0] / (0.5 * 2**0.5))
    draws = drawn(12, {})
    each = np.reshape(draws, (6, 2)).mean(1)
    expected = draws[:6] if BACKEND == "tensorflow" else each
    np.testing.assert_allclose(shares, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
@pytest.mark.parametrize(
    "name, m",
    [("every", None), ("every", "global"), ("adaptive", "global"), ("always", None)],
)
def test_on_replicas(name, m):
    """A perturbation is along the gradient of a half of the examples that share it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(REPLICAS * LOCAL, 6)).astype("float32")
    y = rng.integers(0, 3, REPLICAS * LOCAL)
    # What groups remember is averaged, what replicas do is not.
    reuse = 0.5 if m == "global" else None

    def weights(scope, order, m):
        with scope:
            keras.utils.set_random_seed(1)
            schedule = SOME[name](fraction=0.5, reuse=reuse)
            model = keras_sam.SAMModel(*network(), rho=0.2, m=m, schedule=schedule)
            classify(model, keras.optimizers.SGD(0.1))
            for _ in range(3):
                model.fit(x[order], y[order], batch_size=len(x), shuffle=False, verbose=0)
            return model.get_weights()

    everything = list(range(len(x)))
    many = weights(replicated(), everything, m)
    if m is None:  # On one device, each replica is a group of as many examples.
        one = weights(contextlib.nullcontext(), everything, LOCAL)
    else:  # On TensorFlow they are the first ones of each replica.
        order = [0, 1, 4, 5, 2, 3, 6, 7] if BACKEND == "tensorflow" else everything
        one = weights(contextlib.nullcontext(), order, None)
    assert_identical(many, one, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_an_embedding(mode):
    """Its gradient is sparse on TensorFlow. A step that does not climb is one at rho 0."""
    x = np.array([[1, 1], [2, 3], [1, 4], [5, 1]])
    y = np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
    results = []
    for schedule in (schedules.Every(2, fraction=0.5), schedules.Fraction(0.5)):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((2,), dtype="int32")
        outputs = layers.Dense(2)(layers.Flatten()(layers.Embedding(7, 2)(inputs)))
        model = keras_sam.SAMModel(inputs, outputs, rho=0.5, schedule=schedule)
        model.compile(keras.optimizers.SGD(0.5), "mse", **mode)
        for rho in (0.5, 0.0, 0.5):
            if isinstance(schedule, schedules.Fraction):
                model.rho = rho
            model.train_on_batch(x, y)
        results.append(model.get_weights())
    assert_identical(results[0], results[1], rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_a_loss_that_is_not_finite_at_w_and_eps(mode):
    """The step takes the fraction's gradient, in an embedding too."""

    def loss(y, y_pred):
        return ops.where(ops.abs(y_pred) > 10, ops.full_like(y_pred, np.inf), y_pred)

    inputs = keras.Input((1,), dtype="int32")
    table = layers.Embedding(4, 1, embeddings_initializer="zeros")
    outputs = layers.Dense(1, kernel_initializer="ones")(layers.Flatten()(table(inputs)))
    schedule = schedules.Every(2, fraction=0.5)
    model = keras_sam.SAMModel(inputs, outputs, rho=100.0, schedule=schedule)
    model.compile(keras.optimizers.SGD(0.5), loss, **mode)
    model.train_on_batch(np.array([[1], [2], [3], [3]]), np.zeros((4, 1)))
    found = [array(v).ravel() for v in model.trainable_weights]
    assert_identical(found, [np.array([0, -0.25, -0.25, 0]), np.ones(1), -0.5 * np.ones(1)])

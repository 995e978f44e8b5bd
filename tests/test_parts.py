"""The parts of a step together: limits, combinations, what is remembered and resumed."""

import functools
import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.conftest import (
    BACKEND,
    MODES,
    array,
    assert_identical,
    classify,
    cnn,
    long_if_eager,
    random_images,
    state,
    without_a_gradient,
)

INF = float("inf")
ASCENTS = {
    "ball": lambda: ascents.LpBall(),
    "steps": lambda: ascents.LpBall(INF, steps=2),
    "adaptive": lambda: ascents.Adaptive(),
    "random": lambda: ascents.RandomDirection(seed=3),
    "friendly": lambda: ascents.Friendly(),
    "averaged": lambda: ascents.Averaged(variables=keras.layers.Dense),
    "momentum": lambda: ascents.Momentum(),
    "last": lambda: ascents.LastStep(variables="kernel"),
}
DESCENTS = {
    "perturbed": lambda: descents.Perturbed(),
    "gsam": lambda: descents.GSAM(),
    "weighted": lambda: descents.Weighted(),
    "stable": lambda: descents.Stable(),
}
SCHEDULES = {
    "always": lambda: schedules.Schedule(),
    "every": lambda: schedules.Every(2),
    "look": lambda: schedules.Every(2, reuse=0.5),
    "between": lambda: schedules.Between(1, 3),
    "epochs": lambda: schedules.Between(1, unit="epochs"),
    "adaptive": lambda: schedules.Adaptive(),
    "fraction": lambda: schedules.Fraction(0.5),
}
PARTS = ASCENTS, DESCENTS, SCHEDULES
PRODUCT = list(itertools.product(*PARTS))


def combinations():
    """All of them. Those that have no part for the first time are long tests."""
    seen = set()
    order = sorted(itertools.product(*map(range, map(len, PARTS))), key=_spread)
    for indices in order:
        names = [list(part)[i] for part, i in zip(PARTS, indices)]
        new = {*enumerate(names)} - seen
        seen |= new
        yield pytest.param(*names, marks=[] if new else pytest.mark.slow)


def _spread(indices):
    """The diagonal first."""
    first, *others = indices
    return sum(first % len(part) != i for part, i in zip(PARTS[1:], others))


def parts(ascent="ball", descent="perturbed", schedule="always"):
    return {
        "ascent": ASCENTS[ascent](),
        "descent": DESCENTS[descent](),
        "schedule": SCHEDULES[schedule](),
    }


def small():
    inputs = keras.Input((8,))
    x = keras.layers.Dense(4)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.3, seed=1)(x)
    return inputs, keras.layers.Dense(3)(x)


def rows(n=24):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 8)).astype("float32"), rng.integers(0, 3, n)


@pytest.mark.parametrize("ascent, descent, schedule", list(combinations()))
def test_every_combination_trains_and_is_saved(ascent, descent, schedule, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras_sam.SAMModel(*small(), **parts(ascent, descent, schedule))
    jit = {"jit_compile": True} if BACKEND == "tensorflow" else {}
    classify(model, **jit)
    before = model.get_weights()
    model.fit(*rows(), batch_size=8, epochs=2, shuffle=False, verbose=0)
    after = model.get_weights()
    assert all(np.isfinite(w).all() for w in after)
    assert not any(np.array_equal(a, b) for a, b in zip(after[:2], before[:2]))

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for name in ("ascent", "descent", "schedule"):
        configs = [
            keras.saving.serialize_keras_object(getattr(m, name)) for m in (model, loaded)
        ]
        assert configs[0] == configs[1]
    for each in (model, loaded):
        each.fit(*rows(), batch_size=8, initial_epoch=2, epochs=3, shuffle=False, verbose=0)
    assert_identical(state(loaded), state(model), rtol=1e-5)


SAM = {
    "one step": {"ascent": lambda: ascents.LpBall(steps=1)},
    "friendly": {"ascent": lambda: ascents.Friendly(sigma=0)},
    "averaged": {"ascent": lambda: ascents.Averaged(theta=1)},
    "all weights": {"ascent": lambda: ascents.LpBall(variables=".")},
    "gsam": {"descent": lambda: descents.GSAM(alpha=0)},
    "weighted": {"descent": lambda: descents.Weighted(gamma=0.5)},
    "every": {"schedule": lambda: schedules.Every(1)},
    "between": {"schedule": lambda: schedules.Between()},
    "adaptive": {"schedule": lambda: schedules.Adaptive(c=-1e9)},
}


def train(**settings):
    keras.backend.clear_session()
    keras.utils.set_random_seed(2)
    model = classify(keras_sam.SAMModel(*cnn(seed=1), **settings))
    x, y = random_images(50)
    logs = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history
    return state(model), logs


@functools.cache
def sam():
    return train()


@pytest.mark.parametrize("limit", SAM)
def test_limits_that_are_sam(limit):
    actual, logs = train(**{name: make() for name, make in SAM[limit].items()})
    expected, sam_logs = sam()
    assert_identical(actual, expected, rtol=1e-4)
    assert logs.keys() == sam_logs.keys()
    np.testing.assert_allclose(logs["sharpness"], sam_logs["sharpness"], rtol=1e-2)


PLAIN = {
    "never": {"schedule": lambda: schedules.Between(10**6)},
    "never an epoch": {"schedule": lambda: schedules.Between(9, unit="epochs")},
    "never, last step": {
        "ascent": lambda: ascents.LastStep(),
        "schedule": lambda: schedules.Between(10**6),
    },
    "never, gsam": {
        "descent": lambda: descents.GSAM(),
        "schedule": lambda: schedules.Between(10**6),
    },
    "never, adaptive": {"schedule": lambda: schedules.Adaptive(c=1e9, decay=0.5)},
}


@pytest.mark.parametrize("limit", PLAIN)
@pytest.mark.parametrize(
    "mode", long_if_eager(m for m in MODES if not m.get("jit_compile"))
)
@pytest.mark.usefixtures("literal_graphs")
def test_limits_that_are_plain_training(limit, mode):
    """TensorFlow's graph optimizer merges a gradient's sums with the optimizer's, except
    through a `cond`: it rounds the two otherwise."""

    class Never(keras_sam.SAMModel):
        def __init__(self, *args, **kwargs):
            settings = {name: make() for name, make in PLAIN[limit].items()}
            super().__init__(*args, **(kwargs | {"rho": 0.1} | settings))

    _assert_plain(Never, mode)


def _assert_plain(cls, mode):
    results = []
    for make in (keras.Model, cls):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = classify(make(*cnn(seed=1)), **mode)
        x, y = random_images(50)
        logs = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history
        logs.pop("sharpness", None)
        results.append((state(model), logs))
    assert results[0][1] == results[1][1]
    assert_identical(results[1][0], results[0][0])


@settings(deadline=None, max_examples=50)
@given(exponent=st.integers(-6, 6), seed=st.integers(0, 99), p=st.sampled_from([2, INF]))
def test_adaptive_does_not_see_how_two_layers_share_their_scale(exponent, seed, p):
    """(a W1, W2 / a) is the same network as (W1, W2), and stays so at w + eps."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 1))
    weights = rng.normal(size=(4, 5)), rng.normal(size=(5, 1))
    scale = 2.0**exponent

    class Kernel:
        name = "kernel"

    ascent = ascents.Adaptive(p, eta=0)
    ascent.build([Kernel, Kernel])

    def outputs(first, second):
        return np.maximum(x @ first, 0) @ second

    def perturbed(first, second):
        hidden = np.maximum(x @ first, 0)
        error = 2 * (hidden @ second - y) / len(x)
        g = x.T @ (error @ second.T * (hidden > 0)), hidden.T @ error
        tensors = [keras.ops.convert_to_tensor(w, "float32") for w in (first, second)]
        gradients = [keras.ops.convert_to_tensor(d, "float32") for d in g]
        eps = ascent(tensors, gradients, 0.3)
        return outputs(*(w + array(e) for w, e in zip((first, second), eps)))

    rescaled = weights[0] * scale, weights[1] / scale
    np.testing.assert_allclose(
        perturbed(*rescaled), perturbed(*weights), rtol=1e-3, atol=1e-4
    )


def test_a_random_direction_has_norm_rho_and_is_another_each_step():
    seen = []

    class Seen(ascents.RandomDirection):
        def __call__(self, weights, gradients, rho):
            eps = super().__call__(weights, gradients, rho)
            seen.append([array(e) for e in eps])
            return eps

    model = keras_sam.SAMModel(*small(), rho=0.3, ascent=Seen(seed=1))
    classify(model, **({} if BACKEND == "torch" else {"run_eagerly": True}))
    for _ in range(3):
        model.train_on_batch(*rows(8))
    seen = [np.concatenate([e.ravel() for e in eps]) for eps in seen]
    np.testing.assert_allclose([np.linalg.norm(e) for e in seen], 0.3, rtol=1e-5)
    products = np.array(seen) @ np.array(seen).T / 0.09
    assert abs(products - np.eye(len(seen))).max() < 0.5


def test_what_is_remembered_is_no_weight_of_the_model():
    plain, model = (
        keras.Model(*small()),
        keras_sam.SAMModel(
            *small(), ascent=ascents.Momentum(), schedule=schedules.Every(2, reuse=0.5)
        ),
    )
    classify(model)
    model.fit(*rows(), batch_size=8, verbose=0)
    assert model.count_params() == plain.count_params()
    assert [w.shape for w in model.weights] == [w.shape for w in plain.weights]


def test_weights_files_have_it_and_a_plain_model_reads_them(tmp_path):
    def make(cls=keras_sam.SAMModel, **settings):
        model = classify(cls(*small(), **settings))
        model.optimizer.build(model.trainable_variables)  # Or Keras loads no slots.
        return model

    models = [make(ascent=ascents.Averaged(0.2)) for _ in range(2)]
    models[0].fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    models[0].save_weights(tmp_path / "model.weights.h5")
    models[1].load_weights(tmp_path / "model.weights.h5")
    plain = make(keras.Model)
    plain.load_weights(tmp_path / "model.weights.h5")
    assert_identical(plain.get_weights(), models[0].get_weights())
    seeds = [v for v in models[0].variables if "seed" in v.path]
    for a, b in zip(seeds, [v for v in models[1].variables if "seed" in v.path]):
        b.assign(array(a))
    for model in models:
        model.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    assert_identical(models[1].get_weights(), models[0].get_weights(), rtol=1e-6)


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


def test_rho_follows_the_learning_rate():
    rho = schedules.RhoByLearningRate(0.02, 0.1, lr_max=0.2, lr_min=0.04)
    model = keras_sam.SAMModel(*small(), rho=rho)
    fixed = keras_sam.SAMModel(*small())
    fixed.set_weights(model.get_weights())
    for each in (model, fixed):
        classify(each, keras.optimizers.SGD(0.2))
    for rate, expected in ((0.2, 0.1), (0.12, 0.06), (0.04, 0.02)):
        fixed.rho = expected
        for each in (model, fixed):
            each.optimizer.learning_rate = rate
            each.train_on_batch(*rows(8))
        assert_identical(model.get_weights(), fixed.get_weights(), rtol=1e-5)
    config = keras.saving.serialize_keras_object(rho)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == rho.get_config()


def test_epochs_are_those_of_fit():
    class Seen(schedules.Schedule):
        def climbs(self, time, gradients, memory):
            return time.epoch == 3, memory

    model = classify(keras_sam.SAMModel(*small(), schedule=Seen()))
    history = model.fit(*rows(), initial_epoch=1, epochs=5, verbose=0).history
    assert [value != 0 for value in history["sharpness"]] == [False, False, True, False]


@pytest.mark.parametrize("ascent, descent, schedule", PRODUCT[::45])
def test_with_groups(ascent, descent, schedule):
    """m of the whole batch is the step without groups, and a smaller one is another."""
    results = []
    for m in (None, 8, 4):
        keras.utils.set_random_seed(1)
        model = keras_sam.SAMModel(*small(), m=m, **parts(ascent, descent, schedule))
        classify(model, **({"run_eagerly": True} if BACKEND == "tensorflow" else {}))
        model.fit(*rows(16), batch_size=8, shuffle=False, verbose=0)
        results.append(state(model))
    assert_identical(results[1], results[0])
    assert all(np.isfinite(w).all() for w in results[2])
    assert not np.array_equal(results[2][0], results[0][0])


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


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: ascents.LpBall(steps=0), "`steps` must be a positive integer"),
        (lambda: ascents.LpBall(steps=2.0), "`steps` must be a positive integer"),
        (lambda: ascents.LpBall(1.5, steps=2), "`steps` above 1 need"),
        (lambda: ascents.LpBall(variables=3), "`variables` must be a layer class"),
        (lambda: ascents.LpBall(variables=[]), "`variables` must be a layer class"),
        (lambda: ascents.LpBall(variables=dict), "`variables` must be a layer class"),
        (lambda: ascents.Adaptive(3), "`p` must be 2 or inf"),
        (lambda: ascents.Adaptive(eta=-1), "`eta` must be a finite number"),
        (lambda: ascents.Friendly(sigma="1"), "`sigma` must be a finite number"),
        (lambda: ascents.Friendly(lambda_=1.5), r"`lambda_` must be .* in \[0, 1\]"),
        (lambda: ascents.Averaged(float("nan")), "`theta` must be a finite number"),
        (lambda: ascents.Momentum(2), "`momentum` must be a finite number"),
        (lambda: descents.GSAM(None), "`alpha` must be a finite number"),
        (lambda: descents.Weighted(1), "`gamma` must be below 1"),
        (lambda: schedules.Every(0), "`k` must be a positive integer"),
        (lambda: schedules.Every(2, reuse=-1), "`reuse` must be a finite number"),
        (lambda: schedules.Between(-1), "`start` must be"),
        (lambda: schedules.Between(5, 4), "`end` must be"),
        (lambda: schedules.Between(1.5), "`start` must be"),
        (lambda: schedules.Between(unit="hours"), "`unit` must be"),
        (lambda: schedules.Fraction(0), "`fraction` must be above 0"),
        (lambda: schedules.Fraction(2), "`fraction` must be a finite number"),
        (lambda: schedules.Adaptive(c=INF), "`c` must be a finite number"),
        (lambda: schedules.RhoByLearningRate(0, 1, 0.1, 0.2), "`lr_min` must be below"),
        (lambda: keras_sam.SAMModel(*small(), descent="sam"), "`descent` must be one of"),
        (lambda: keras_sam.SAMModel(*small(), schedule=5), "`schedule` must be one of"),
        (lambda: keras_sam.SAMModel(*small(), second_order=1), "`second_order` must be"),
    ],
)
def test_bad_values(make, message):
    with pytest.raises(ValueError, match=message + ".*Received: "):
        make()


def test_a_selection_of_nothing():
    ascent = ascents.LpBall(variables=[keras.layers.Conv2D, "no such name"])
    model = classify(keras_sam.SAMModel(*small(), ascent=ascent))
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"selects none .*Conv2D.*no such name"):
        model.fit(*rows(), verbose=0)
    assert_identical(model.get_weights(), before)


@keras.saving.register_keras_serializable("tests")
def is_bias(variable):
    return variable.name == "bias"


def test_a_selection_is_serialized():
    rules = [keras.layers.BatchNormalization, "dense_1/", is_bias]
    ascent = ascents.Momentum(variables=rules)
    config = keras.saving.serialize_keras_object(ascent)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config()["variables"].get_config() == {
        "layers": ["BatchNormalization"],
        "paths": ["dense_1/"],
        "functions": [is_bias],
    }

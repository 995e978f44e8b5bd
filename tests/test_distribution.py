"""JAX on several devices: each perturbs by its own gradient, as one device does with m."""

import keras
import numpy as np
import pytest

import keras_sam
from tests.helpers import BACKEND, array, assert_identical, state
from tests.jax_devices import BATCH, DATA, data_parallel, fit, model_parallel, network
from tests.models import Counting, classify, cnn

pytestmark = pytest.mark.skipif(
    BACKEND != "jax", reason="`keras.distribution` trains on JAX only"
)


@pytest.fixture(autouse=True)
def _alone():
    yield
    keras.distribution.set_distribution(None)


def assert_alike(a, b):
    """All that training moves: seeds and counters exactly, the rest to rounding."""
    (model, logs), (expected, expected_logs) = a, b
    assert_identical(state(model), state(expected), rtol=2e-5)
    for name, values in expected_logs.items():
        np.testing.assert_allclose(logs[name], values, rtol=1e-4)
    for v, w in zip(model.non_trainable_variables, expected.non_trainable_variables):
        if "seed" in v.path:
            np.testing.assert_array_equal(array(v), array(w))


@pytest.mark.usefixtures("splits")
@pytest.mark.parametrize(
    "replicas, m, alone",
    [
        (4, None, 4),
        pytest.param(4, 2, 2, marks=pytest.mark.slow),
        (4, 8, 8),
        pytest.param(4, 16, 16, marks=pytest.mark.slow),
        (4, "global", None),
        pytest.param(8, None, 2, marks=pytest.mark.slow),
        (8, 1, 1),
        pytest.param(8, 8, 8, marks=pytest.mark.slow),
    ],
)
def test_replicas_are_one_device_with_m(replicas, m, alone):
    many = fit(DATA, data_parallel(replicas), m)
    assert_alike(many, fit(DATA, None, alone))
    for variable in many[0].trainable_weights:
        assert len(variable.value.sharding.device_set) == replicas


def test_it_is_so_eagerly():
    many = fit(DATA, data_parallel(4), None, epochs=1, run_eagerly=True)
    assert_alike(many, fit(DATA, None, 4, epochs=1))


@pytest.mark.usefixtures("splits")
@pytest.mark.parametrize(
    "shape, m, alone",
    [
        ((2, 2), None, 8),
        pytest.param((2, 2), 4, 4, marks=pytest.mark.slow),
        ((4, 2), 8, 8),
        pytest.param((2, 4), "global", None, marks=pytest.mark.slow),
    ],
)
def test_the_weights_of_a_parallel_model_stay_in_parts(shape, m, alone):
    many = fit(DATA, model_parallel(shape), m)
    assert_alike(many, fit(DATA, None, alone))
    kernel = many[0].get_layer("wide").kernel.value
    assert kernel.addressable_shards[0].data.shape == (4, 8 // shape[1])


@pytest.mark.usefixtures("splits")
@pytest.mark.parametrize("m, alone", [(None, 4), (8, 8)])
@pytest.mark.parametrize(
    "layout",
    [
        {"output": ("batch", "model")},
        pytest.param({"kernel": ("batch", "model")}, marks=pytest.mark.slow),
    ],
)
def test_layouts_along_the_batch_axis(layout, m, alone):
    many = fit(DATA, model_parallel((4, 2), **layout), m)
    assert_alike(many, fit(DATA, None, alone))


@pytest.mark.parametrize("m", [None, 2])
def test_a_layers_metrics_and_counters(m):
    keras.distribution.set_distribution(data_parallel(4)())
    counting = Counting()
    inputs = keras.Input((2,))
    model = keras_sam.SAMModel(inputs, keras.layers.Dense(1)(counting(inputs)), m=m)
    model.compile("sgd", "mse")
    x = np.arange(64.0).reshape(32, 2)
    model.fit(x, np.zeros(32), batch_size=16, shuffle=False, verbose=0)
    assert float(counting.mean.count) == 32
    np.testing.assert_allclose(counting.mean.result(), x.mean(), rtol=1e-6)
    assert int(counting.calls) == 2 * 16 / (m or 4)


def test_a_short_group_on_each_replica():
    # m = 3 of the 4 examples on each replica: a group of 3 and one of 1. The step is the
    # mean of the replicas' steps, each taken alone.
    def moves(rows, distribution=None):
        keras.utils.set_random_seed(1)
        keras.distribution.set_distribution(distribution)
        model = keras_sam.SAMModel(*cnn(dropout=0), rho=0.5, m=3)
        classify(model, keras.optimizers.SGD(0.1))
        before = model.get_weights()
        x, y = (a[rows] for a in DATA)
        model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0)
        return [b - a for a, b in zip(before, model.get_weights())]

    many = moves(slice(16), data_parallel(4)())
    alone = [moves(slice(i, i + 4)) for i in range(0, 16, 4)]
    assert_identical(many, [np.mean(parts, 0) for parts in zip(*alone)], rtol=1e-6)


@pytest.mark.parametrize("distribution", [data_parallel(4), model_parallel((2, 2))])
def test_without_a_perturbation_a_global_step_is_keras_own(distribution, rounding):
    class AtZero(keras_sam.SAMModel):
        def __init__(self, *args, rho, m):
            super().__init__(*args, rho=0.0, m="global")

    model, logs = fit(DATA, distribution, None, AtZero)
    plain, expected = fit(DATA, distribution, None, keras.Model)
    np.testing.assert_allclose(logs.pop("sharpness"), 0, atol=rounding)
    assert_identical(list(logs.values()), list(expected.values()), rounding)
    assert_identical(state(model), state(plain), rounding)
    assert_identical(model.get_weights(), plain.get_weights())


def test_an_m_that_cannot_be_met():
    message = "Received: m=24, with 4 examples on each replica and 4 replicas"
    with pytest.raises(ValueError, match=message):
        fit(DATA, data_parallel(4), 24)
    keras.distribution.set_distribution(data_parallel(4)())
    model = classify(keras_sam.SAMModel(*network(), m=24))
    with pytest.raises(ValueError, match=message):
        # Without weights, Keras 3.13 fails here.
        model.train_on_batch(*(a[:BATCH] for a in DATA), sample_weight=np.ones(BATCH))


def test_a_loss_that_is_a_sum():
    keras.distribution.set_distribution(data_parallel(4)())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    for m in (None, "global"):
        model = keras_sam.SAMModel(*network(), m=m)
        model.compile("sgd", loss)
        if m is None:
            with pytest.raises(ValueError, match=r"a mean over examples.*reduction=sum"):
                model.fit(*DATA, batch_size=BATCH, verbose=0)
        else:
            model.fit(*DATA, batch_size=BATCH, verbose=0)


def test_evaluating_and_saving(tmp_path):
    model, _ = fit(DATA, data_parallel(4), None)
    model.save(tmp_path / "model.keras")
    expected = model.evaluate(*DATA, batch_size=BATCH, verbose=0)
    keras.distribution.set_distribution(None)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    alone = loaded.evaluate(*DATA, batch_size=BATCH, verbose=0)
    np.testing.assert_allclose(alone, expected, rtol=1e-5)

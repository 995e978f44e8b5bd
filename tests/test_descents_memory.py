"""A descent that remembers: by hand, saved, in groups, on replicas, in a loop."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import descents, schedules
from tests import loops, memories
from tests.by_hand import RHO, flat, unit
from tests.helpers import BACKEND, MODES, array, assert_identical, long_if_eager, state
from tests.models import classify, rows, small
from tests.regression import RATE, network
from tests.test_variants import batches, train_by_hand


@keras.saving.register_keras_serializable("tests")
class Smoothed(descents.Descent):
    """g and an average of how much further the gradients at w + eps have been."""

    def init(self, weights):
        return [ops.zeros_like(w) for w in weights]

    def remember(self, gradients, perturbed, memory):
        three = zip(memory, gradients, perturbed)
        return [0.75 * m + 0.25 * (s - g) for m, g, s in three]

    def __call__(self, gradients, perturbed, memory):
        return [g + m for g, m in zip(gradients, memory)]


def smoothed():
    update, m, t = None, 0, 0
    while True:
        gradient, w = yield update
        update = g = gradient(w)
        if t % 2 == 0:
            m = 0.75 * m + 0.25 * (gradient(w + RHO * unit(g)) - g)
            update = g + m
        t += 1


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mode", long_if_eager(MODES))
def test_by_hand(mode):
    """It remembers on the steps that climb alone."""
    settings = {"descent": Smoothed(), "schedule": schedules.Every(2)}
    model = keras_sam.SAMModel(*network(), rho=RHO, **settings)
    model.compile(keras.optimizers.SGD(RATE), "mse", **mode)
    expected = train_by_hand(smoothed, flat(model.trainable_weights))
    for batch in batches():
        model.train_on_batch(*batch)
    np.testing.assert_allclose(flat(model.trainable_weights), expected, rtol=1e-11)


def train(model, **kwargs):
    model.fit(*rows(), batch_size=8, shuffle=False, verbose=0, **kwargs)
    return model


def test_it_is_saved_and_resumed(tmp_path):
    model = train(classify(keras_sam.SAMModel(*small(), descent=Smoothed())))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert any(array(m).any() for m in loaded._sharpness_aware.memory.loaded.values)
    assert_identical(state(train(loaded)), state(train(model)))


def test_groups_are_averaged():
    """With m its memory after a step is the mean of its groups' memories."""
    x, y = memories.data(1)
    parts, after = [slice(0, 4), slice(4, 8)], []
    for part, m in [(slice(0, 8), 4), *((part, None) for part in parts)]:
        keras.utils.set_random_seed(0)
        inner = memories.network()
        model = keras_sam.SAMModel(*inner, rho=0.3, m=m, descent=Smoothed())
        classify(model, keras.optimizers.SGD(0.1))
        model.train_on_batch(x[part], y[part])
        after.append([array(v) for v in model._sharpness_aware.memory.all])
    for both, first, last in zip(*after, strict=True):
        np.testing.assert_allclose(both, (first + last) / 2, rtol=1e-5, atol=1e-7)


def test_in_a_loop():
    model, network = loops.both(rho=0.1, descent=Smoothed())
    train(classify(model, keras.optimizers.SGD(0.1)))
    fn = loops.loss_of(network)
    grad = keras_sam.value_and_grad(fn, network, rho=0.1, descent=Smoothed())
    loops.train(grad, keras.optimizers.SGD(0.1), loops.batches_of(*rows(), 8))
    for a, b in zip(network.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there.")
def test_each_replica_has_its_own():
    """As one device that takes the replicas' batches as groups, for a step."""
    results = []
    for count, m in ((memories.REPLICAS, None), (1, memories.LOCAL)):
        keras.backend.clear_session()
        with memories.replicated(count):
            keras.utils.set_random_seed(1)
            inner = memories.network()
            model = keras_sam.SAMModel(*inner, rho=0.5, m=m, descent=Smoothed())
            classify(model, keras.optimizers.SGD(0.1))
            x, y = memories.data(1)
            model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
            kept = model._sharpness_aware.memory.values()["descent"]
            results.append([*model.get_weights(), *(v.mean(0) for v in kept)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_what_it_must_not_return():
    class Wrong(Smoothed):
        def remember(self, gradients, perturbed, memory):
            return memory[1:]

    model = classify(keras_sam.SAMModel(*small(), descent=Wrong()))
    with pytest.raises(ValueError, match=r"`Wrong\.remember` must return what to remember"):
        train(model)

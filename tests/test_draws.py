"""Both passes draw the same from generators that are not Keras's, and no thread twice."""

import random
import threading

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.helpers import MODES, assert_identical, state
from tests.models import classify, rows, small


def unseeded():
    """A generator that nobody has seeded."""
    return np.random.default_rng()


class Draws(layers.Layer):
    """Adds what Python and NumPy draw to what it is given."""

    def call(self, x, training=None):
        if not training:
            return x
        order = [1.0, 2.0, 4.0]
        random.shuffle(order)
        noise = np.random.normal(size=(x.shape[-1],)) + unseeded().random()
        chosen = random.choice([x, 2 * x]) * random.random()
        return chosen + keras.ops.convert_to_tensor(noise * order[0], x.dtype)


def drawing(cls, mode, **settings):
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    x = Draws()(inputs)
    return classify(cls(inputs, layers.Dense(3)(x), **settings), **mode)


def eager(modes):
    """Compiled, Python draws once for all steps: when the step is traced."""
    return [m for m in modes if m.get("run_eagerly") or len(modes) == 1]


def fit(model):
    keras.utils.set_random_seed(2)
    return model.fit(*rows(), batch_size=8, shuffle=False, verbose=0).history


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("m", [None, 3])
def test_the_passes_see_the_same(mode, m):
    history = fit(drawing(keras_sam.SAMModel, mode, rho=1e-7, m=m))
    np.testing.assert_allclose(history["sharpness"], [0.0], atol=1e-4)


@pytest.mark.parametrize("mode", eager(MODES))
def test_the_generators_move_as_in_plain_training(mode, monkeypatch):
    monkeypatch.setitem(globals(), "unseeded", lambda: random)
    results = []
    for cls, settings in ((keras.Model, {}), (keras_sam.SAMModel, {"rho": 0.0})):
        model = drawing(cls, mode, **settings)
        fit(model)
        results.append([*state(model), random.random(), np.random.rand()])
    assert_identical(*results)


def test_nothing_stays_in_the_modules():
    before = random.random, np.random.normal, np.random.default_rng
    fit(drawing(keras_sam.SAMModel, MODES[0]))
    assert before == (random.random, np.random.normal, np.random.default_rng)


def test_another_thread_draws_on():
    """No number twice: nothing is rewound, and no other thread's draws are kept."""
    drawn, stop = [], threading.Event()

    def draw():
        while not stop.is_set() and len(drawn) < 10**6:
            drawn.extend([random.random(), np.random.rand()])

    model = drawing(keras_sam.SAMModel, eager(MODES)[0], rho=1e-7)
    thread = threading.Thread(target=draw)
    thread.start()
    try:
        history = model.fit(*rows(), batch_size=8, epochs=5, verbose=0).history
    finally:
        stop.set()
        thread.join()
    np.testing.assert_allclose(history["sharpness"], np.zeros(5), atol=1e-4)
    assert len(drawn) == len(set(drawn)) > 100


@pytest.mark.parametrize("mode", eager(MODES))
def test_a_pass_that_draws_otherwise_is_refused(mode):
    class Sometimes(layers.Layer):
        calls = 0

        def call(self, x, training=None):
            if training:
                self.calls += 1
            return x * (random.random() if self.calls % 2 else random.gauss(0, 1))

    inputs, outputs = small()
    model = classify(keras_sam.SAMModel(inputs, Sometimes()(outputs)), **mode)
    before = model.get_weights()
    with pytest.raises(ValueError, match="other random numbers in one pass"):
        model.fit(*rows(), verbose=0)
    assert_identical(model.get_weights(), before)

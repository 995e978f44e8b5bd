"""PyTorch's global generators: a step draws from them as plain training does, and once."""

import threading

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from keras_sam import schedules
from tests.helpers import BACKEND, assert_identical, generators, state
from tests.models import classify, rows

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")


class Noise(layers.Layer):
    def call(self, x, training=None):
        if not training:
            return x
        x = torch.nn.functional.dropout(x, 0.3)
        x = x * torch.empty_like(x).uniform_() + torch.randn_like(x)
        # As a module may that was written for the CPU, where the model is on a GPU.
        drawn = torch.rand(8) + torch.randperm(8) + torch.randint(3, (8,))
        return x * drawn.to(x.device)


def noisy(cls=keras_sam.SAMModel, **settings):
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    return classify(cls(inputs, layers.Dense(3)(Noise()(inputs)), **settings))


def fit(model, **kwargs):
    keras.utils.set_random_seed(2)
    fit = {"batch_size": 8, "shuffle": False, "verbose": 0} | kwargs
    return model.fit(*rows(), **fit).history


@pytest.mark.parametrize("m", [None, 3])
def test_the_passes_see_the_same(m):
    sharpness = fit(noisy(rho=1e-7, m=m), epochs=2)["sharpness"]
    np.testing.assert_allclose(sharpness, np.zeros(2), atol=1e-5)


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_it_draws_as_plain_training_does(fraction):
    results = []
    schedule = schedules.Fraction(fraction)
    for model in (noisy(keras.Model), noisy(rho=0.0, schedule=schedule)):
        fit(model, epochs=2)
        results.append([*state(model), *generators()])
    assert_identical(*results)


def test_a_model_that_begins_to_draw_later():
    class Late(Noise):
        on = False

        def call(self, x, training=None):
            return super().call(x, training) if self.on else x

    layer = Late()
    inputs = keras.Input((8,))
    model = classify(keras_sam.SAMModel(inputs, layers.Dense(3)(layer(inputs)), rho=1e-7))
    switch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: setattr(layer, "on", True)
    )
    sharpness = fit(model, epochs=2, callbacks=[switch])["sharpness"]
    np.testing.assert_allclose(sharpness, np.zeros(2), atol=1e-5)


def dropout(units=64):
    inputs = keras.Input((8,))
    x = layers.Dropout(0.5)(layers.Dense(units)(inputs))
    return classify(keras_sam.SAMModel(inputs, layers.Dense(3)(x), rho=1e-7, m=4))


def test_another_thread_draws_no_number_twice():
    drawn, stop = [], threading.Event()

    def draw():
        while not stop.is_set() and len(drawn) < 10**6:
            drawn.append(float(torch.rand((), dtype=torch.float64)))

    model = dropout()
    thread = threading.Thread(target=draw)
    thread.start()
    try:
        sharpness = fit(model, epochs=5)["sharpness"]
    finally:
        stop.set()
        thread.join()
    np.testing.assert_allclose(sharpness, np.zeros(5), atol=1e-5)
    assert len(drawn) == len(set(drawn)) > 100


def test_two_models_in_two_threads():
    results = {}

    def train(name):
        model = dropout()
        results[name] = model.fit(*rows(), batch_size=8, epochs=5, verbose=0).history

    threads = [threading.Thread(target=train, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for history in results.values():
        np.testing.assert_allclose(history["sharpness"], np.zeros(5), atol=1e-5)
    assert len(results) == 2


def test_the_fused_dropout_of_gpus():
    """Called by its name, as `dropout` calls it there: here it runs on the CPU."""

    class Fused(layers.Layer):
        def call(self, x, training=None):
            return torch.native_dropout(x, 0.5, True)[0] if training else x

    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    outputs = layers.Dense(3, use_bias=False)(Fused()(inputs))
    for schedule in (None, schedules.Fraction(0.5)):
        model = keras_sam.SAMModel(inputs, outputs, rho=0.5, schedule=schedule)
        # Linear in w: the gradient is the mask, in both passes.
        model.compile(keras.optimizers.SGD(1.0), lambda y, y_pred: y_pred)
        before = model.get_weights()[0]
        logs = model.train_on_batch(np.ones((4, 8)), np.ones((4, 3)), return_dict=True)
        move = before - model.get_weights()[0]
        if schedule is None:
            rise = 0.5 * np.linalg.norm(move)
            np.testing.assert_allclose(logs["sharpness"], rise, rtol=1e-5)
        # A unit that k of 4 examples keep has moved by 2 k / 4 / 3.
        np.testing.assert_allclose((6 * move).round(), 6 * move, atol=1e-5)
        assert 0 < (6 * move).mean() < 4


def test_a_kernel_that_draws_inside_is_refused():
    class Leaky(layers.Layer):
        def call(self, x, training=None):
            return torch.nn.functional.rrelu(x, training=bool(training))

    inputs = keras.Input((8,))
    model = classify(keras_sam.SAMModel(inputs, layers.Dense(3)(Leaky()(inputs))))
    with pytest.raises(ValueError, match=r"inside of a kernel.*Received: operation=aten"):
        model.fit(*rows(), verbose=0)

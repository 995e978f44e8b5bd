"""A rule of the user's own is given the gradients of the loss; a wrong one says so."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import ascents, descents, schedules
from keras_sam.norms import norm
from tests.helpers import BACKEND, array, assert_identical
from tests.jax_devices import data_parallel
from tests.models import classify, rows, small
from tests.replicas import mirrored

RHO, RATE, LIMIT = 0.25, 0.5, 0.02


class Along(ascents.Ascent):
    """Not normalized, so that it shows what it was given."""

    def __call__(self, weights, gradients, rho):
        return [rho * g for g in gradients]


class Clipped(descents.Descent):
    def __call__(self, gradients, perturbed):
        return [ops.clip(s, -LIMIT, LIMIT) for s in perturbed]


class Stays(schedules.Schedule):
    """Never climbs, and clips the gradient of the plain step."""

    needs_gradient = reuses = True

    def climbs(self, time, gradients, memory):
        return time.iteration < 0, memory

    def stay(self, gradients, memory):
        return [ops.clip(g, -LIMIT, LIMIT) for g in gradients]


def on_replicas(count):
    if BACKEND == "tensorflow":
        return mirrored(count).scope()
    stack = contextlib.ExitStack()
    keras.distribution.set_distribution(data_parallel(count)())
    stack.callback(keras.distribution.set_distribution, None)
    return stack


PLACES = {
    "float32": contextlib.nullcontext,
    "mixed_float16": contextlib.nullcontext,
    "replicas": lambda: on_replicas(2),
}
if BACKEND == "torch":
    del PLACES["replicas"]  # Keras trains on one device there.


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rule", ["ascent", "descent", "schedule"])
def test_the_gradients_are_those_of_the_loss(place, rule):
    """The loss is linear in w, its gradient the mean of x."""
    x = np.tile([[0.5, -0.25, 0.125, 0.0078125]], (8, 1)).astype("float32")
    with PLACES[place]():
        keras.config.set_dtype_policy(place if "float" in place else "float32")
        inputs = keras.Input((4,))
        outputs = layers.Dense(1, use_bias=False)(inputs)
        rules = {
            "ascent": {"ascent": Along()},
            "descent": {"descent": Clipped()},
            "schedule": {"schedule": Stays()},
        }
        model = keras_sam.SAMModel(inputs, outputs, rho=RHO, **rules[rule])
        model.compile(keras.optimizers.SGD(RATE), lambda y, y_pred: y_pred)
        before = array(model.trainable_weights[0])
        logs = model.train_on_batch(x, np.zeros((8, 1)), return_dict=True)
        move = (before - array(model.trainable_weights[0]))[:, 0]
    g = x[0]
    if rule == "ascent":
        np.testing.assert_allclose(logs["sharpness"], RHO * (g @ g), rtol=1e-2)  # float16
    else:
        np.testing.assert_allclose(move, RATE * np.clip(g, -LIMIT, LIMIT), rtol=1e-5)


def of(base, method, result):
    """A class that overrides one method to give what is wrong."""
    return type("Wrong", (base,), {method: lambda self, *args: result(*args)})()


def fewer(weights, *_):
    return weights[:-1]


def broadcast(weights, *_):
    return [ops.mean(w, axis=0, keepdims=True) for w in weights]


WRONG = {
    "few": (fewer, r"Received: 4 tensors for 5 weights|Received: 5 tensors for 6"),
    "shape": (broadcast, r"for dense.*/kernel of shape=\(8, 4\) a value shape="),
    "nothing": (lambda *_: None, r"Received: None \(of type"),
    "values": (lambda ws, *_: [None for _ in ws], r"kernel of shape=.* a value of type"),
}
METHODS = {
    "ascent": (ascents.Ascent, "__call__", "Wrong"),
    "direction": (ascents.Ascent, "direction", "Wrong.direction"),
    "project": (lambda: None, "project", "Wrong.project"),
    "descent": (descents.Descent, "__call__", "Wrong"),
    "stay": (Stays, "stay", "Wrong.stay"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("method", METHODS)
def test_a_rule_that_returns_what_it_must_not(method, wrong):
    base, name, shown = METHODS[method]
    result, message = WRONG[wrong]
    if method == "project":
        rule = type("Wrong", (ascents.LpBall,), {name: lambda self, e, rho: result(e)})
        rule, kind = rule(steps=2), "ascent"
    else:
        rule = of(base, name, result)
        kind = "schedule" if method == "stay" else "ascent"
        kind = "descent" if method == "descent" else kind
    model = classify(keras_sam.SAMModel(*small(), **{kind: rule}))
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"`{shown}` must return a list.*({message})"):
        model.train_on_batch(*rows(8))
    assert_identical(model.get_weights(), before)


class Keeps(schedules.Schedule):
    """Keeps what it has climbed by."""

    needs_gradient = reuses = True

    def init(self, weights):
        return [ops.zeros_like(w) for w in weights]


class KeepsPlain(Keeps):
    def climbs(self, time, gradients, memory):
        return False, memory


MEMORIES = {
    "remember": (ascents.Momentum, "ascent", lambda gradients, memory: memory[:-1]),
    "climbs": (schedules.Adaptive, "schedule", lambda *_: (True, None)),
    "climbed": (Keeps, "schedule", lambda g, s, memory: broadcast(memory)),
    "stayed": (KeepsPlain, "schedule", lambda g, memory: broadcast(memory)),
}


@pytest.mark.parametrize("method", MEMORIES)
def test_a_memory_of_other_shapes(method):
    base, kind, result = MEMORIES[method]
    rule = type("Wrong", (base,), {method: lambda self, *args: result(*args)})()
    model = classify(keras_sam.SAMModel(*small(), **{kind: rule}))
    with pytest.raises(ValueError, match=rf"`Wrong.{method}` must return what to remember"):
        model.train_on_batch(*rows(8))


class Last(schedules.Schedule):
    """Climbs where the last step's gradient was below 1."""

    reuses = True

    def init(self, weights):
        return [ops.zeros(())]

    def climbs(self, time, gradients, memory):
        return memory[0] < 1, memory

    def climbed(self, gradients, perturbed, memory):
        return [norm(perturbed)]

    def stayed(self, gradients, memory):
        return [norm(gradients)]


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_a_schedule_that_decides_by_the_last_step(fraction):
    """The loss is linear in w, its gradient the mean of x at any w."""
    inputs = keras.Input((1,))
    outputs = layers.Dense(1, use_bias=False)(inputs)
    schedule = Last(fraction=fraction)
    model = keras_sam.SAMModel(inputs, outputs, rho=RHO, schedule=schedule)
    model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: y_pred)
    weight = float(array(model.trainable_weights[0])[0, 0])
    for x, climbs in ((0.5, 1), (2.0, 1), (3.0, 0), (0.25, 0), (0.75, 1)):
        model.reset_metrics()
        batch = np.full((4, 1), x, "float32")
        logs = model.train_on_batch(batch, np.zeros((4, 1)), return_dict=True)
        # Of a fraction's step, the loss is that at w + eps.
        rise = logs["loss"] - weight * x if fraction < 1 else logs["sharpness"]
        np.testing.assert_allclose(rise, climbs * RHO * x, atol=1e-6)
        (last,) = model._sharpness_aware.memory.values()["schedule"]
        np.testing.assert_allclose(np.ravel(last), [x], rtol=1e-6)


@pytest.mark.parametrize("base", [ascents.Ascent, ascents.Adaptive, descents.GSAM])
def test_a_rule_that_forgot_its_base(base):
    wrong = type("Forgot", (base,), {"__init__": lambda self: None})()
    kind = "descent" if base is descents.GSAM else "ascent"
    with pytest.raises(ValueError, match=r"`Forgot` .*super\(\).__init__\(\).*Received"):
        keras_sam.SAMModel(*small(), **{kind: wrong})


def test_an_ascent_that_needs_no_gradient_gets_none_under_a_schedule_that_does():
    seen = []

    class Back(ascents.Ascent):
        needs_gradient = False

        def direction(self, gradients, memory):
            seen.append(gradients)
            return self.weights

        def build(self, variables):
            self.weights = [keras.ops.ones(v.shape) for v in variables]

    model = keras_sam.SAMModel(*small(), ascent=Back(), schedule=schedules.Adaptive())
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(*rows())
    assert seen and set(seen) == {None}

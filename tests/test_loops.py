"""A training loop of one's own is `SAMModel`'s."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from keras_sam import ascents, schedules
from tests import loops
from tests.helpers import BACKEND, array, assert_identical, only_on
from tests.models import classify, rows, small
from tests.rules import ASCENTS, DESCENTS, SCHEDULES, possible, rules

PARTS = {"ascent": ASCENTS, "descent": DESCENTS, "schedule": SCHEDULES}
# Each rule once or more.
DIAGONAL = [
    {kind: list(names)[i % len(names)] for kind, names in PARTS.items()}
    for i in range(max(map(len, PARTS.values())))
]
DIAGONAL = [n if possible(**n) else {**n, "descent": "gsam"} for n in DIAGONAL]
ROUNDING = 1e-5 if BACKEND == "jax" else 0.0  # Of two programs.


def sgd():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def assert_like_sam_model(settings, make_rules=lambda: {}, size=8, epochs=2):
    model, network = loops.both(**settings, **make_rules())
    classify(model, sgd())
    history = model.fit(*rows(), batch_size=size, epochs=epochs, shuffle=False, verbose=0)
    grad = keras_sam.value_and_grad(
        loops.loss_of(network), network, **settings, **make_rules()
    )
    batches = loops.batches_of(*rows(), size)
    results = loops.train(grad, sgd(), batches, epochs)
    assert_identical(network.get_weights(), model.get_weights(), ROUNDING)
    if "sharpness" in history.history and results[0].sharpness is not None:
        each = np.reshape([r.sharpness for r in results], (epochs, -1)).mean(1)
        np.testing.assert_allclose(each, history.history["sharpness"], 1e-4, 1e-6)
    return results


@pytest.mark.parametrize("names", DIAGONAL, ids=str)
def test_each_rule(names):
    assert_like_sam_model({"rho": 0.3}, lambda: rules(**names))


@pytest.mark.parametrize("m", [4, 8, "global"])
def test_groups(m):
    assert_like_sam_model({"rho": 0.3, "m": m})


@pytest.mark.parametrize(
    "settings",
    [
        {"rho": keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.5, 0.1])},
        {"rho": lambda: 0.2},
        {"rho": 0.3, "second_order": True},
        {"rho": 0.0},
    ],
    ids=["schedule", "callable", "second order", "zero"],
)
@pytest.mark.usefixtures("literal_graphs")
def test_settings(settings):
    assert_like_sam_model(settings)


def test_a_rho_that_follows_the_learning_rate():
    _, network = loops.both()
    rho = schedules.RhoByLearningRate(0.1, 0.5, lr_max=0.1)
    by_rate, fixed = (
        keras_sam.value_and_grad(loops.loss_of(network), network, rho=rho)
        for rho in (rho, 0.3)
    )
    results = []
    for grad, given in ((by_rate, {"learning_rate": 0.05}), (fixed, {})):
        state = [array(v) for v in network.variables]
        results.append(grad(*rows(8), **given))
        for variable, value in zip(network.variables, state):
            variable.assign(value)
    for a, b in zip(*(result.gradients for result in results)):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match="give each call `learning_rate`"):
        by_rate(*rows(8))


class Unnormalized(ascents.Ascent):
    """Depends on the scale of the gradient, as the paper's does not."""

    def __call__(self, weights, gradients, rho):
        return [rho * g for g in gradients]


@pytest.mark.parametrize("m", [None, 4])
def test_loss_scale(m):
    _, network = loops.both()
    grad = keras_sam.value_and_grad(
        loops.loss_of(network), network, rho=0.3, m=m, ascent=Unnormalized()
    )
    state = [array(v) for v in network.variables]
    plain = grad(*rows(8))
    for variable, value in zip(network.variables, state):
        variable.assign(value)
    scaled = grad(*rows(8), loss_scale=1024.0)
    assert float(scaled.loss) == float(plain.loss)
    np.testing.assert_allclose(float(scaled.sharpness), float(plain.sharpness), 1e-4)
    for a, b in zip(scaled.gradients, plain.gradients):
        np.testing.assert_allclose(array(a) / 1024, array(b), rtol=1e-4, atol=1e-7)


def test_regularizers_and_added_losses():
    def network():
        inputs = keras.Input((8,))
        x = layers.Dense(4, kernel_regularizer="l2")(inputs)
        return inputs, layers.Dense(3)(layers.ActivityRegularization(0.1)(x))

    keras.utils.set_random_seed(1)
    model, plain = (cls(*network()) for cls in (keras_sam.SAMModel, keras.Model))
    plain.set_weights(model.get_weights())
    classify(model, sgd()).fit(*rows(8), batch_size=8, epochs=2, verbose=0, shuffle=False)
    grad = keras_sam.value_and_grad(loops.loss_of(plain), plain)
    loops.train(grad, sgd(), [rows(8)], epochs=2)
    assert_identical(plain.get_weights(), model.get_weights(), 1e-6)


def test_aux_and_several_models():
    """By hand: L = mean (v (w x) - y)^2, and the auxiliary value is at w."""
    keras.utils.set_random_seed(0)
    first, second = (keras.Sequential([keras.Input((2,)), layers.Dense(2)]) for _ in "ab")
    x, y = np.ones((3, 2), "float32"), np.zeros((3, 2), "float32")

    def fn(x, y):
        y_pred = second(first(x))
        return ops.mean((y_pred - y) ** 2), {"y_pred": y_pred}

    grad = keras_sam.value_and_grad(fn, [first, second], has_aux=True, rho=0.5)
    assert grad.variables == [*first.trainable_weights, *second.trainable_weights]
    result = grad(x, y)
    np.testing.assert_allclose(
        array(result.aux["y_pred"]), array(second(first(x))), rtol=1e-5
    )
    A, a, B, b = (array(v).astype("float64") for v in grad.variables)

    def by_hand(A, a, B, b):
        h = x @ A + a
        d = 2 * (h @ B + b - y) / y.size
        dh = d @ B.T
        return [x.T @ dh, dh.sum(0), h.T @ d, d.sum(0)]

    g = by_hand(A, a, B, b)
    scale = 0.5 / np.sqrt(sum((one**2).sum() for one in g))
    expected = by_hand(*(w + scale * one for w, one in zip((A, a, B, b), g)))
    for gradient, one in zip(result.gradients, expected):
        np.testing.assert_allclose(array(gradient), one, rtol=1e-4, atol=1e-6)


def test_a_model_that_is_held_fixed_gets_no_gradient():
    student, teacher = (
        keras.Sequential([keras.Input((8,)), layers.Dense(3)]) for _ in "ab"
    )

    def fn(x):
        return ops.mean((student(x) - teacher(x)) ** 2)

    grad = keras_sam.value_and_grad(fn, student, rho=0.5)
    before = teacher.get_weights()
    result = grad(rows(8)[0])
    assert len(result.gradients) == 2
    assert_identical(teacher.get_weights(), before)


def test_nothing_but_the_clean_pass_is_written():
    _, network = loops.both()
    before = [array(v) for v in network.trainable_weights]
    calls = []

    def fn(x, y):
        calls.append(None)
        return loops.loss_of(network)(x, y)

    result = keras_sam.value_and_grad(fn, network, rho=5.0)(*rows(8))
    assert_identical([array(v) for v in network.trainable_weights], before)
    moved = network.layers[2].get_weights()[2:]
    x = rows(8)[0] @ before[0] + before[1]
    np.testing.assert_allclose(moved[0], 0.01 * x.mean(0), rtol=1e-4, atol=1e-6)
    assert len(calls) >= 2 and float(result.sharpness) != 0


def test_a_selection_of_weights():
    ascent = ascents.LpBall(variables=layers.BatchNormalization)
    assert_like_sam_model({"rho": 0.3}, lambda: {"ascent": ascent})


@pytest.mark.parametrize(
    "change, match",
    [
        ({"fn": 3}, "`fn` must be callable"),
        ({"model": "x"}, "`model` must be a Keras model, layer or variable"),
        ({"model": []}, "must have trainable weights"),
        ({"model": keras.Sequential([layers.Dense(3)])}, "must be built"),
        ({"rho": -1}, "`rho` must be non-negative"),
    ],
    ids=str,
)
def test_bad_arguments(change, match):
    arguments = {"fn": lambda: 0, "model": keras.Model(*small())} | change
    with pytest.raises(ValueError, match=match):
        keras_sam.value_and_grad(**arguments)


def test_bad_calls():
    _, network = loops.both()
    loss = loops.loss_of(network)

    def grad(fn=loss, **settings):
        return keras_sam.value_and_grad(fn, network, **settings)

    x, y = rows(8)
    for wrong in (network, lambda x: 0.5, lambda x: None):
        with pytest.raises(ValueError, match="must return a scalar tensor"):
            grad(lambda x, y, wrong=wrong: wrong(x))(x, y)
    with pytest.raises(ValueError, match="must return a loss, or with `has_aux=True`"):
        grad(lambda x, y: (loss(x, y), y))(x, y)
    with pytest.raises(ValueError, match="must return a loss, or with `has_aux=True`"):
        grad(has_aux=True)(x, y)
    for settings in (
        {"ascent": ascents.Friendly()},
        {"schedule": schedules.Every(2)},
        {"rho": keras.optimizers.schedules.CosineDecay(0.1, 10)},
    ):
        with pytest.raises(ValueError, match=r"begin with `memory = grad\.init\(\)`"):
            grad(**settings)(x, y)
    with pytest.raises(ValueError, match="`m` must be at most the batch size"):
        grad(m=9)(x, y)


@only_on("jax", "It is JAX that traces.")
def test_jax_is_told_of_the_stateless_call():
    import jax

    _, network = loops.both()
    grad = keras_sam.value_and_grad(loops.loss_of(network), network)
    with pytest.raises(ValueError, match=r"Call `grad\.stateless_call"):
        jax.jit(lambda x, y: grad(x, y).gradients)(*rows(8))
    with pytest.raises(ValueError, match="`trainable` must have a value for each of 6"):
        grad.stateless_call([], [], *rows(8))


@only_on("jax", "`lax.scan` is JAX's.")
def test_a_scan_over_steps():
    """The step has the same types in as out, memory and seeds among them."""
    import jax

    def network_and_grad():
        _, network = loops.both()
        grad = keras_sam.value_and_grad(
            loops.loss_of(network), network, rho=0.3, **rules("friendly", schedule="every")
        )
        return network, grad

    network, grad = network_and_grad()
    batches = loops.batches_of(*rows(), 8)

    def step(carry, batch):
        trainable, others, memory = carry
        result, others = grad.stateless_call(trainable, others, *batch, memory=memory)
        trainable = [w - 0.1 * g for w, g in zip(trainable, result.gradients)]
        return (trainable, others, result.memory), result.loss

    kinds = grad.variables, grad.non_trainable_variables
    start = (*([v.value for v in kind] for kind in kinds), grad.init())
    stacked = jax.tree.map(lambda *a: np.stack(a), *batches)
    (trainable, _, memory), losses = jax.lax.scan(step, start, stacked)
    assert int(memory.iteration) == len(batches) == len(losses)

    network, grad = network_and_grad()
    loops.train(grad, keras.optimizers.SGD(0.1), batches)
    expected = [array(v) for v in network.trainable_weights]
    assert_identical([array(w) for w in trainable], expected, 1e-5)

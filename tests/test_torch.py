"""What only PyTorch has: modules, `.grad`, its own generators, `torch.compile`."""

import copy

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from tests.helpers import BACKEND, array, assert_identical, generators, state
from tests.models import classify, cnn, rows
from tests.plain import assert_like_plain

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")


def module():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(64, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.Dropout(0.3),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 3),
    )


def wrapped(cls=keras_sam.SAMModel, **kwargs):
    inputs = keras.Input((8, 8, 1))
    layer = layers.TorchModuleWrapper(module(), output_shape=(None, 3))
    return classify(cls(inputs, layer(inputs), **kwargs))


def buffers(model):
    return [array(b) for b in model.layers[1].module.buffers()]


def test_a_module_trains_as_in_keras(images):
    def train(model):
        keras.utils.set_random_seed(2)
        history = model.fit(*images, batch_size=16, epochs=2, verbose=0).history
        return {**history, **{f"b{i}": b for i, b in enumerate(buffers(model))}}

    assert_like_plain(wrapped, train)


@pytest.mark.parametrize("m", [None, 8])
def test_a_module_against_the_textbook(images, m):
    model = wrapped(rho=0.5, m=m)
    x, y = (ops.convert_to_tensor(a[:16]) for a in images)
    model.optimizer = keras.optimizers.SGD(0.1)
    by_hand = copy.deepcopy(model.layers[1].module)
    weights = list(by_hand.parameters())
    start = [w.detach().clone() for w in weights]
    loss = torch.nn.CrossEntropyLoss()
    moves = [torch.zeros_like(w) for w in weights]

    def gradients(rows):
        return torch.autograd.grad(loss(by_hand(x[rows]), y[rows]), weights)

    keras.utils.set_random_seed(3)
    for i in range(0, 16, m or 16):
        rows = slice(i, i + (m or 16))
        statistics = copy.deepcopy(by_hand.state_dict())
        with torch.random.fork_rng():  # Both passes draw the same.
            g = gradients(rows)
        moved = copy.deepcopy(by_hand.state_dict())
        norm = torch.sqrt(sum((d**2).sum() for d in g))
        by_hand.load_state_dict(statistics)
        with torch.no_grad():
            for w, d in zip(weights, g):
                w += 0.5 * d / norm
        for move, s in zip(moves, gradients(rows)):
            move += s * len(y[rows]) / 16
        by_hand.load_state_dict(moved)
    expected = generators()

    keras.utils.set_random_seed(3)
    model.train_on_batch(x, y)
    for variable, w, move in zip(model.trainable_weights, start, moves):
        expect = array(w - 0.1 * move)
        np.testing.assert_allclose(array(variable), expect, rtol=1e-4, atol=1e-6)
    for b, other in zip(buffers(model), by_hand.buffers()):
        np.testing.assert_allclose(b, array(other), rtol=1e-5)
    assert_identical(generators(), expected)


@pytest.mark.parametrize("failing_pass", [1, 2])
def test_an_exception_leaves_a_module(images, failing_pass):
    model = wrapped(rho=0.5)
    model.fit(*images, verbose=0)
    before = [*model.get_weights(), *buffers(model)]
    passes = []

    def loss(y, y_pred):
        passes.append(y_pred)
        if y_pred.device.type != "meta" and len(passes) > failing_pass:
            raise KeyError("on purpose")
        return ops.sum(y_pred)

    model.compile("sgd", loss)
    with pytest.raises(KeyError):
        model.train_on_batch(*images)
    assert len(passes) == failing_pass + 1  # And Keras's symbolic one.
    assert_identical([*model.get_weights(), *buffers(model)], before)


@pytest.mark.parametrize("rho", [0.0, 5.0])
def test_the_generator_moves_once(images, rho):
    states = []
    for cls in (keras.Model, lambda *a: keras_sam.SAMModel(*a, rho=rho)):
        keras.utils.set_random_seed(1)
        classify(cls(*cnn())).fit(*images, batch_size=16, verbose=0)
        states.append(generators())
    assert_identical(*states)


def test_nothing_is_left_in_grad(images):
    plain = classify(keras.Model(*cnn()))
    plain.fit(*images, verbose=0)
    assert any(v.value.grad is not None for v in plain.trainable_weights)
    model = classify(keras_sam.SAMModel.from_model(plain))
    model.fit(*images, verbose=0)
    assert all(v.value.grad is None for v in model.trainable_weights)


@pytest.mark.parametrize("regularizer", [None, "l2"])
@pytest.mark.parametrize("loss", [False, True])
def test_weights_that_a_layer_reaches_otherwise(images, regularizer, loss):
    class Keeps(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(3, 3), regularizer=regularizer)
            vars(self)["kept"] = self.w.value

        def call(self, x):
            y = x @ vars(self)["kept"]
            if not loss:
                return y
            self.add_loss(ops.mean(y))
            return x

    inputs, outputs = cnn()
    model = classify(keras_sam.SAMModel(inputs, Keeps()(outputs)))
    with pytest.raises(ValueError, match=r"uses these weights otherwise.*weights=\['keeps"):
        model.fit(*images, verbose=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Of torch.compile, on Keras's plain `fit` too.
@pytest.mark.parametrize("form", ["functional", "from_model"])
def test_torch_compile(images, form):
    def make(rho):
        if form == "functional":
            return keras_sam.SAMModel(*cnn(seed=1), rho=rho)
        return keras_sam.SAMModel.from_model(keras.Model(*cnn(seed=1)), rho=rho)

    runs = []
    for compiled in (False, True):
        torch.compiler.reset()
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = classify(make(rho=0.5), jit_compile=compiled)
        model.fit(*(a[:48] for a in images), batch_size=16, epochs=2, verbose=0)
        runs.append(state(model))
    for a, b in zip(*runs):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_torch_compile_reads_the_state_of_a_shared_model():
    """Not that of the model it is made of, in whose dict torch.compile looks first."""
    torch.compiler.reset()
    inputs = keras.Input((8,))
    plain = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    model, batch = keras_sam.SAMModel.from_model(plain, rho=0.5), rows(16)
    expected = classify(model).train_on_batch(*batch, return_dict=True)
    before = model.get_weights()
    step = torch.compile(model.train_step, backend="eager")
    logs = step(tuple(map(torch.tensor, batch)))
    assert logs.keys() == expected.keys()
    assert not np.array_equal(model.get_weights()[0], before[0])

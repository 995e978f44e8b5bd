"""The loss that is analysed: the compiled one, on all data, with nothing left behind."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_sam import analysis
from keras_sam.analysis._flat import flat, unflat
from keras_sam.analysis._loss import Loss
from tests import dense
from tests.helpers import BACKEND, array, assert_identical, only_on, state
from tests.jax_devices import data_parallel


@pytest.fixture(autouse=True)
def _double(float64):
    """Errors are then of the mathematics, and not of rounding."""


@pytest.mark.parametrize("batch_size", [4, 32])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_compiled_loss_on_all_data(batch_size, weighted):
    """The short last batch counts by its examples."""
    x, y, weight = dense.data()
    weight = weight if weighted else None
    model = dense.mlp()
    expected = model.evaluate(x, y, sample_weight=weight, batch_size=21, verbose=0)
    loss = Loss(model, (x, y, weight), batch_size)
    assert abs(loss.value(loss.weights) - expected) < 1e-12
    assert loss.examples == 21


def test_a_loss_that_a_layer_adds():
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(ops.mean(x**2))
            return x

    x, y, _ = dense.data()
    inputs = keras.Input((4,))
    outputs = layers.Dense(2)(Penalty()(layers.Dense(3)(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    expected = model.evaluate(x, y, batch_size=21, verbose=0)
    loss = Loss(model, (x, y, None), 21)
    assert abs(loss.value(loss.weights) - expected) < 1e-12


def test_gradients_and_products_by_finite_differences():
    x, y, weight = dense.data()
    loss = Loss(dense.mlp(), (x, y, weight), 8)
    w, step = flat(loss.weights), 1e-5
    rng = np.random.default_rng(0)
    for _ in range(3):
        v = rng.normal(size=w.size)
        ends = [unflat(w + sign * step * v, loss.weights) for sign in (1, -1)]
        values = [loss.value(end) for end in ends]
        gradient = flat(loss.gradient(loss.weights)[1])
        assert abs((values[0] - values[1]) / (2 * step) - gradient @ v) < 1e-7
        gradients = [flat(loss.gradient(end)[1]) for end in ends]
        product = flat(loss.product(unflat(v, loss.weights)))
        difference = (gradients[0] - gradients[1]) / (2 * step)
        np.testing.assert_allclose(product, difference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("how", ["forward over reverse", "reverse over reverse"])
def test_both_ways_give_the_same_hessian(how, monkeypatch):
    from keras_sam import _backend

    monkeypatch.setattr(_backend, "PRODUCTS", (how,))
    x, y, weight = dense.data()
    model = dense.mlp()
    h = dense.hessian(model, x, y, weight)
    np.testing.assert_allclose(h, h.T, atol=1e-12)
    monkeypatch.setattr(_backend, "PRODUCTS", ("reverse over reverse",))
    np.testing.assert_allclose(h, dense.hessian(model, x, y, weight), atol=1e-12)


def test_each_backend_takes_its_fastest_way():
    x, y, _ = dense.data()
    how = analysis.hessian_trace(dense.mlp(), x, y, draws=1).how
    assert how == ("reverse" if BACKEND == "torch" else "forward") + " over reverse"


def test_central_differences(monkeypatch):
    """Where a layer has no second derivative."""
    from keras_sam import _backend

    x, y, weight = dense.data()
    model = dense.mlp()
    exact = dense.hessian(model, x, y, weight)

    def product_of(*args):
        raise NotImplementedError  # As a layer without a second derivative.

    monkeypatch.setattr(_backend, "product_of", product_of)
    np.testing.assert_allclose(dense.hessian(model, x, y, weight), exact, atol=1e-8)
    found = analysis.hessian_trace(model, x, y, weight, draws=1)
    assert found.how == "central differences" and found.products == 1


def no_memory():
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    if BACKEND == "torch":
        import torch

        return torch.cuda.OutOfMemoryError("CUDA out of memory.")
    import jax

    return jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 B.")


@pytest.mark.parametrize("make", [MemoryError, no_memory])
def test_no_other_way_is_tried_without_memory(make, monkeypatch):
    from keras_sam import _backend

    x, y, _ = dense.data()
    error, tried = make(), []

    def product_of(fn, weights, vectors, how):
        tried.append(how)
        raise error

    monkeypatch.setattr(_backend, "product_of", product_of)
    with pytest.raises(type(error)):
        analysis.hessian_trace(dense.mlp(), x, y, draws=1)
    assert tried == [_backend.PRODUCTS[0]]


def test_an_error_of_the_models_own_is_raised():
    def theirs(y, y_pred):
        raise RuntimeError("theirs")

    x, y, _ = dense.data()
    with pytest.raises(RuntimeError, match="theirs"):
        analysis.hessian_trace(dense.mlp(theirs), x, y, draws=1)


def test_a_short_last_batch_is_as_one_batch():
    x, y, weight = dense.data()
    model = dense.mlp()
    one, more = (dense.hessian(model, x, y, weight, batch_size=n) for n in (21, 8))
    np.testing.assert_allclose(one, more, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_left_behind(training):
    x, y, _ = dense.data()
    inputs = keras.Input((4,))
    h = layers.Dropout(0.5, seed=1)(layers.BatchNormalization()(layers.Dense(3)(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(h))
    model.compile(keras.optimizers.Adam(), "mse", metrics=["mae"])
    model.fit(x, y, verbose=0)
    before = state(model)
    metrics = [array(v) for v in model.metrics_variables]
    analysis.hessian_trace(model, x, y, draws=2, training=training)
    analysis.sharpness(model, x, y, training=training)
    analysis.loss_landscape(model, x, y, directions=1, points=3, training=training)
    assert_identical(state(model), before)
    assert_identical([array(v) for v in model.metrics_variables], metrics)
    model.fit(x, y, verbose=0)


def test_nothing_is_left_behind_by_an_error():
    x, y, _ = dense.data()
    model = dense.mlp()
    before = state(model)
    with pytest.raises(ValueError, match="is not finite"):
        analysis.hessian_trace(model, x * np.inf, y)
    assert_identical(state(model), before)


class Interrupted(keras.utils.PyDataset):
    """Data whose second batch is interrupted, as by Ctrl-C, at the first read or later."""

    def __init__(self, reads):
        super().__init__()
        self.reads = reads

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index == 1:
            self.reads -= 1
        if not self.reads:
            raise KeyboardInterrupt
        x, y, _ = dense.data()
        return x[:7], y[:7]


class Switch(layers.Layer):
    """Is interrupted in its call, if it is on."""

    on = False

    def call(self, x):
        if self.on:
            raise KeyboardInterrupt
        return x


def with_statistics_and_seeds(switch):
    x, y, _ = dense.data()
    inputs = keras.Input((4,))
    h = layers.Dropout(0.5, seed=1)(layers.BatchNormalization()(layers.Dense(3)(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(switch(h)))
    model.compile(keras.optimizers.Adam(), "mse")
    model.fit(x, y, verbose=0)
    return model


MEASURES = [analysis.sharpness, analysis.hessian_trace, analysis.loss_landscape]


@pytest.mark.parametrize("reads", [1, 3])
@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_is_left_behind_by_an_interruption(measure, reads):
    """At the third read of the batch, some loss has been taken at other weights."""
    model = with_statistics_and_seeds(Switch())
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        measure(model, Interrupted(reads), training=True)
    assert_identical(state(model), before)
    x, y, _ = dense.data()
    model.fit(x, y, verbose=0)


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_is_left_behind_by_an_interruption_in_a_layer(measure):
    """Of which the layers before have run, while the model is traced."""
    x, y, _ = dense.data()
    switch = Switch()
    model = with_statistics_and_seeds(switch)
    before = state(model)
    switch.on = True
    with pytest.raises(KeyboardInterrupt):
        measure(model, x, y, training=True)
    switch.on = False
    assert_identical(state(model), before)
    model.fit(x, y, verbose=0)


@only_on("torch", "The layer is PyTorch's.")
def test_a_layer_that_cannot_be_analysed_is_named():
    import torch

    inputs = keras.Input((4,))
    layer = layers.TorchModuleWrapper(
        torch.nn.Linear(4, 2), name="theirs", output_shape=(None, 2)
    )
    model = keras.Model(inputs, layer(layers.Dense(4)(inputs)))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="Received: a model with the layer 'theirs'"):
        analysis.sharpness(model, np.ones((8, 4)), np.ones((8, 2)))


def test_training_mode_has_batch_statistics():
    x, y, _ = dense.data()
    model = dense.mlp()
    rises = [
        analysis.sharpness(model, x, y, training=t, batch_size=21) for t in (False, True)
    ]
    assert abs(rises[0].loss - rises[1].loss) > 1e-3


class Sequence(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return tuple(a[8 * i : 8 * i + 8] for a in self.arrays)


def test_a_generator_can_be_read_once():
    x, y, _ = dense.data()
    with pytest.raises(ValueError, match=r"can be read again.*Received: x=<generator"):
        analysis.sharpness(dense.mlp(), ((x, y) for _ in range(3)))


@pytest.mark.parametrize("kind", ["dataset", "sequence", "dict"])
def test_data_as_fit_takes_them(kind):
    x, y, weight = dense.data()
    model = dense.mlp()
    if kind == "dataset":
        tf = pytest.importorskip("tensorflow")
        given = [tf.data.Dataset.from_tensor_slices((x, y, weight)).batch(8)]
    elif kind == "sequence":
        given = [Sequence(x, y, weight)]
    else:
        inputs = {"a": keras.Input((4,), name="a")}
        model = keras.Model(inputs, model(inputs["a"]))
        model.compile("sgd", "mse")
        given = [{"a": x}, y, weight]
    model.set_weights(dense_weights())
    reference = dense.mlp()
    reference.set_weights(dense_weights())
    expected = analysis.hessian_trace(reference, x, y, weight, draws=2).value
    assert abs(analysis.hessian_trace(model, *given, draws=2).value - expected) < 1e-9


def dense_weights():
    rng = np.random.default_rng(3)
    shapes = [tuple(v.shape) for v in dense.mlp().weights]
    return [np.abs(rng.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: keras.Sequential([layers.Dense(2)]), "compiled `keras.Model`"),
        (lambda: dense.mlp(keras.losses.MeanSquaredError("sum")), "a mean over examples"),
        (lambda: layers.Dense(2), "compiled `keras.Model`"),
    ],
)
def test_a_model_that_cannot_be_analysed(make, message):
    x, y, _ = dense.data()
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        analysis.sharpness(make(), x, y)


def test_no_data():
    x, y, _ = dense.data()
    with pytest.raises(ValueError, match=r"no examples|at least one|empty"):
        analysis.sharpness(dense.mlp(), x[:0], y[:0])


def test_a_mask():
    inputs = keras.Input((5,), dtype="int32")
    model = keras.Model(inputs, layers.Embedding(4, 2, mask_zero=True)(inputs))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"has a mask.*Received: "):
        analysis.sharpness(model, np.ones((4, 5), "int32"), np.ones((4, 5, 2)))


def sequence(layer, shape=(6, 4)):
    inputs = keras.Input(shape)
    x = layer(inputs)
    return inputs, layers.Dense(2)(layers.Flatten()(x))


LAYERS = {
    "conv": lambda: sequence(layers.Conv2D(2, 3, activation="tanh"), (5, 5, 2)),
    "separable": lambda: sequence(layers.SeparableConv2D(2, 3), (5, 5, 2)),
    "transposed": lambda: sequence(layers.Conv2DTranspose(2, 3), (4, 4, 2)),
    "batch norm": lambda: sequence(layers.BatchNormalization()),
    "layer norm": lambda: sequence(layers.LayerNormalization()),
    "group norm": lambda: sequence(layers.GroupNormalization(2)),
    "rms norm": lambda: sequence(layers.RMSNormalization()),
    "lstm": lambda: sequence(layers.LSTM(3, return_sequences=True)),
    "gru": lambda: sequence(layers.GRU(3, return_sequences=True)),
    "prelu": lambda: sequence(layers.PReLU()),
    "unit norm": lambda: sequence(layers.UnitNormalization()),
}


def attention():
    inputs = keras.Input((6, 4))
    x = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    return inputs, layers.Dense(2)(layers.Flatten()(x))


def embedding():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Dense(3, activation="tanh")(layers.Embedding(5, 2)(inputs))
    return inputs, layers.Dense(2)(layers.Flatten()(x))


@pytest.mark.parametrize("name", [*LAYERS, "attention", "embedding"])
def test_each_layer_has_products(name):
    """As central differences of gradients, in training mode, where it has one."""
    make = {**LAYERS, "attention": attention, "embedding": embedding}[name]
    inputs, outputs = make()
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    shape = (4, *inputs.shape[1:])
    x = rng.integers(0, 5, shape) if name == "embedding" else rng.normal(size=shape)
    loss = Loss(model, (x, rng.normal(size=(4, 2)), None), 4, training=True)
    # On JAX attention is in float32, and so is what its difference is divided by.
    single = name == "attention" and BACKEND == "jax"
    step, rounding = (1e-3, 1e-3) if single else (1e-5, 1e-5)
    v, w = rng.normal(size=loss.size), flat(loss.weights)
    product = flat(loss.product(unflat(v, loss.weights)))
    ends = [unflat(w + sign * step * v, loss.weights) for sign in (1, -1)]
    gradients = [flat(loss.gradient(end)[1]) for end in ends]
    difference = (gradients[0] - gradients[1]) / (2 * step)
    np.testing.assert_allclose(product, difference, rtol=1e-4, atol=rounding)
    assert loss.how in ("forward over reverse", "reverse over reverse")


@only_on("tensorflow", "Strategies are TensorFlow's.")
def test_a_model_of_a_strategy():
    """Outside of its scope it is analysed as any; within, there are no gradients."""
    from tests.replicas import mirrored

    x, y, _ = dense.data()
    strategy, plain = mirrored(2), dense.mlp()
    with strategy.scope():
        model = dense.mlp()
    model.set_weights(plain.get_weights())
    found, expected = (analysis.sharpness(m, x, y) for m in (model, plain))
    assert abs(found.worst - expected.worst) < 1e-9
    with strategy.scope(), pytest.raises(ValueError, match=r"outside of `strategy\.scope"):
        analysis.sharpness(model, x, y)


@only_on("jax", "`keras.distribution` is JAX's.")
def test_a_model_on_several_devices():
    x, y, _ = dense.data(24)
    plain = dense.mlp()
    keras.distribution.set_distribution(data_parallel(2)())
    try:
        model = dense.mlp()
        model.set_weights(plain.get_weights())
        found = analysis.hessian_trace(model, x, y, draws=2, batch_size=8)
    finally:
        keras.distribution.set_distribution(None)
    expected = analysis.hessian_trace(plain, x, y, draws=2, batch_size=8)
    assert abs(found.value - expected.value) < 1e-9


def without_regularizer():
    """Keras on TensorFlow cannot add one in bfloat16 to a loss in float32."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(3, "tanh")(inputs)))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_lower_precision(policy):
    """Rises of a loss that is computed in bfloat16 are those of float32 by its rounding."""
    x, y, _ = dense.data()
    keras.config.set_floatx("float32")
    plain = without_regularizer()
    keras.config.set_dtype_policy(policy)
    model = without_regularizer()
    model.set_weights(plain.get_weights())
    found, expected = (analysis.sharpness(m, x, y, rho=0.5) for m in (model, plain))
    assert abs(found.worst - expected.worst) < 0.05 * expected.loss
    trace = analysis.hessian_trace(model, x, y, draws=2)
    assert np.isfinite(trace.value)

"""What can be analysed: the data, the batch statistics, and clear errors."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sam import analysis
from tests import dense
from tests.helpers import only_on


@pytest.fixture(autouse=True)
def _double(float64):
    """Errors are then of the mathematics, and not of rounding."""


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

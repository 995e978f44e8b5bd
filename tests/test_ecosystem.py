"""What other parts of Keras do to a model, seen by a sharpness-aware step."""

import keras
import numpy as np
from keras import layers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import keras_sam
from keras_sam import schedules
from keras_sam._step.curvature import NAMES
from tests import dense
from tests.helpers import array
from tests.models import classify, rows, small

RHO, RATE = 0.25, 0.125


def test_lora_by_hand():
    """The kernel is w + a b: a and b are perturbed and trained, and w stays. In Keras they
    are of float32."""
    x, y, _ = dense.data()
    inputs = keras.Input((4,))
    layer = layers.Dense(2, use_bias=False)
    model = keras_sam.SAMModel(inputs, layer(inputs), rho=RHO)
    layer.enable_lora(1)
    model.compile(keras.optimizers.SGD(RATE), "mse")
    rng = np.random.default_rng(0)
    w, a, b = (rng.normal(size=shape) for shape in ((4, 2), (4, 1), (1, 2)))
    layer._kernel.assign(w)
    layer.lora_kernel_a.assign(a)
    layer.lora_kernel_b.assign(b)

    def gradients(a, b):
        g = 2 * x.T @ (x @ (w + a @ b) - y) / y.size
        return g @ b.T, a.T @ g

    to_a, to_b = gradients(a, b)
    scale = RHO / np.sqrt((to_a**2).sum() + (to_b**2).sum())
    to_a, to_b = gradients(a + scale * to_a, b + scale * to_b)
    model.train_on_batch(x, y)
    found = layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b
    for variable, expected in zip(found, (w, a - RATE * to_a, b - RATE * to_b)):
        np.testing.assert_allclose(array(variable), expected, rtol=1e-5)


def test_tensorboard(tmp_path):
    rho = keras.optimizers.schedules.CosineDecay(0.1, 4)
    every = schedules.Every(2)
    model = classify(keras_sam.SAMModel(*small(), rho=rho, schedule=every, curvature=True))
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    x, y = rows()
    logs = model.fit(x, y, batch_size=8, epochs=2, callbacks=[board], verbose=0).history
    events = EventAccumulator(str(tmp_path / "train")).Reload()
    shown = {tag.removeprefix("epoch_") for tag in events.Tags()["tensors"]}
    assert {"loss", "rho", "sharpness", *NAMES} <= shown
    for name in ("rho", "climbing_share", "perturbation_norm"):
        found = [make_ndarray(e.tensor_proto) for e in events.Tensors(f"epoch_{name}")]
        np.testing.assert_allclose(found, logs[name], rtol=1e-6)


class Depth(layers.Layer):
    """Leaves out a residual branch, with the noise of EfficientNet's in Keras."""

    def __init__(self):
        super().__init__()
        self.branch = layers.Dense(4)
        self.drop = layers.Dropout(0.5, noise_shape=(None, 1), seed=1)

    def call(self, x, training=False):
        return x + self.drop(self.branch(x), training=training)


def test_stochastic_depth_leaves_out_the_same_in_both_passes():
    """At a tiny radius the loss hardly rises, which other masks would change."""
    inputs = keras.Input((4,))
    model = keras_sam.SAMModel(inputs, Depth()(inputs), rho=1e-4)
    model.compile("sgd", "mse")
    x = 10 * np.random.default_rng(0).normal(size=(8, 4))
    logs = model.train_on_batch(x, np.zeros((8, 4)), return_dict=True)
    assert logs["loss"] > 10
    assert 0 < logs["sharpness"] < 1e-3 * logs["loss"]

"""How the networks' blocks are wired, and what their weights begin with."""

import keras
import numpy as np
import pytest
from architectures.layers import classifier, conv
from architectures.pyramidnet import pyramidnet
from keras import layers

from tests.helpers import array, long_on
from tests.reproduce.networks import SHALLOW

pytestmark = long_on("jax")

NAMES = {"BatchNormalization": "norm", "Conv2D": "conv", "LeakyReLU": "leaky"}


def chain(model, tensor, begin):
    """The layers between two tensors."""
    makers = {id(layer.output): layer for layer in model.layers[1:]}
    names = []
    while tensor is not begin:
        layer = makers[id(tensor)]
        kind = type(layer).__name__
        names.append(NAMES.get(kind, kind.lower()))
        tensor = layer.input
    return " ".join(reversed(names))


BOTTLENECK = "conv norm relu conv norm relu conv norm"
# Layers before the blocks, before the first branch, before the next one, in a branch,
# and after the blocks.
CHAINS = {
    "wide": ("conv norm relu", "", "norm relu", "conv norm relu conv", "norm relu"),
    "not normalized": ("conv relu", "", "relu", "conv relu conv", "relu"),
    "pyramid": ("conv norm", "norm", "norm", BOTTLENECK, "norm relu"),
    "shake-drop": ("conv norm", "norm", "norm", f"{BOTTLENECK} shakedrop", "norm relu"),
    "wide 32": ("conv leaky norm", "", "norm leaky", "conv norm leaky conv", "norm leaky"),
    "small 32": ("conv norm relu", "", "relu", "conv norm relu conv norm", "relu"),
    "imagenet": ("zeropadding2d conv norm maxpooling2d", "", "relu", BOTTLENECK, "relu"),
}


@pytest.mark.parametrize("name", CHAINS)
def test_layers(name):
    stem, first, following, branch, end = CHAINS[name]
    model = SHALLOW[name]()
    one, two, *_, last = (x for x in model.layers if x.name.startswith("stage"))
    assert chain(model, one.input[1], model.input) == joined(stem, first, branch)
    assert chain(model, two.input[1], one.output) == joined(following, branch)
    pooled = "globalaveragepooling2d dense"
    assert chain(model, model.output, last.output) == joined(end, pooled)


def joined(*names):
    return " ".join(filter(None, names))


def test_layers_of_shake_shake():
    model = SHALLOW["shake-shake"]()
    first = model.get_layer("stage1_block1")
    mixes = [x for x in model.layers if type(x).__name__ == "ShakeShake"]
    for branch in mixes[0].input:
        names = chain(model, branch, model.input)
        assert names == "conv norm relu conv norm relu conv norm"
    for branch in mixes[1].input:
        assert chain(model, branch, first.output) == "relu conv norm relu conv norm"
    assert first.input[1] is mixes[0].output
    last = model.get_layer("stage3_block1").output
    assert chain(model, model.output, last) == "relu globalaveragepooling2d dense"


def test_strides_of_the_imagenet_network():
    """They are in the convolution of 3 x 3, not in the first one of the block."""
    model = SHALLOW["imagenet"]()
    strides = [
        (x.kernel_size[0], x.strides[0])
        for x in model.layers
        if isinstance(x, layers.Conv2D)
    ]
    first, other = [(1, 1), (3, 1), (1, 1), (1, 1)], [(1, 1), (3, 2), (1, 1), (1, 2)]
    assert sorted(strides) == sorted([(7, 2), *first, *other, *other, *other])


def images(name):
    shape = (2, *SHALLOW[name]().input.shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def run(model, outputs, x):
    return [array(y) for y in keras.Model(model.input, outputs)(x)]


@pytest.mark.parametrize("name, begin", [("wide", 3), ("pyramid", 2), ("wide 32", 3)])
def test_shortcuts(name, begin):
    """The mean over squares, and zeros for the missing channels."""
    model = SHALLOW[name]()
    sums = [x for x in model.layers if x.name.startswith("stage")]
    tensors = [t for add in sums for t in (add.input[0], add.output)]
    x, *results = run(model, [model.layers[begin].output, *tensors], images(name))
    for shortcut, output in zip(results[::2], results[1::2]):
        strides = x.shape[1] // shortcut.shape[1]
        expected = (x + x) / 2
        if strides == 2:
            rows = (x[:, ::2] + x[:, 1::2]) / 2
            expected = (rows[:, :, ::2] + rows[:, :, 1::2]) / 2
        missing = shortcut.shape[-1] - x.shape[-1]
        before = missing // 2 if name == "wide 32" else 0
        pad = [(0, 0), (0, 0), (0, 0), (before, missing - before)]
        np.testing.assert_allclose(shortcut, np.pad(expected, pad), rtol=1e-5, atol=1e-6)
        x = output


def test_shortcuts_that_leave_out_pixels():
    model = SHALLOW["small 32"]()
    first, second = (model.get_layer(f"stage{i}_block1") for i in (1, 2))
    x, shortcut = run(model, [first.output, second.input[0]], images("small 32"))
    expected = np.pad(np.maximum(x, 0)[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (0, 16)])
    np.testing.assert_array_equal(shortcut, expected)


@pytest.mark.parametrize("stage", [1, 2])
def test_shortcuts_of_shake_shake(stage):
    """Two convolutions: of the image, and of it shifted by one pixel."""
    model = SHALLOW["shake-shake"]()
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(np.full(layer.moving_variance.shape, 4.0))
    begin = model.layers[2] if stage == 1 else model.get_layer("stage1_block1")
    shortcut = model.get_layer(f"stage{stage}_block1").input[0]
    x, actual = run(model, [begin.output, shortcut], images("shake-shake"))
    shifted = np.pad(x, [(0, 0), (0, 1), (0, 1), (0, 0)])[:, 1:, 1:]
    kernels = [
        array(layer.kernel)[0, 0]
        for layer in model.layers
        if isinstance(layer, layers.Conv2D) and layer.kernel_size == (1, 1)
    ]
    kernels = kernels[2 * stage - 2 : 2 * stage]
    halves = [y[:, ::stage, ::stage] @ k for y, k in zip((x, shifted), kernels)]
    expected = np.concatenate(halves, axis=-1) / np.sqrt(4 + 1e-5)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_initial_kernels():
    layer = conv(64, 3)
    layer.build((None, 8, 8, 32))
    kernel = array(layer.kernel)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.03)
    # Of 18,432 normal numbers some are beyond 3 deviations; truncated, none is.
    assert np.abs(kernel).max() > 3 * kernel.std()
    assert not layer.use_bias


def test_initial_logits():
    layer = classifier(25)
    layer.build((None, 400))
    kernel = array(layer.kernel)
    assert 0.199 < kernel.max() < 0.2 and -0.2 < kernel.min() < -0.199
    assert not array(layer.bias).any()


def test_norms():
    for name in ("wide", "wide 32"):
        norms = [x for x in SHALLOW[name]().layers if type(x) is layers.BatchNormalization]
        epsilon = 1e-3 if name == "wide 32" else 1e-5
        assert {(x.momentum, x.epsilon) for x in norms} == {(0.9, epsilon)}


def test_blocks_of_the_imagenet_network_begin_as_the_identity():
    model = SHALLOW["imagenet"]()
    sums = [x for x in model.layers if x.name.startswith("stage")]
    assert len(sums) == 4
    for branch in run(model, [x.input[1] for x in sums], images("imagenet")):
        assert not branch.any()


@pytest.mark.parametrize("last_drop", [0.5, 0.9])
def test_probabilities_of_shake_drop(last_drop):
    model = pyramidnet((8, 8, 3), 4, depth=20, alpha=12, last_drop=last_drop)
    keeps = [x.keep for x in model.layers if type(x).__name__ == "ShakeDrop"]
    assert keeps == pytest.approx([1 - last_drop * i / 6 for i in range(1, 7)])

"""EfficientNets against those of `keras.applications`, and files of weights."""

import math

import keras
import numpy as np
import pytest
from architectures.efficientnet import B7, L2, efficientnet
from architectures.frozen import FrozenStatistics
from architectures.pretrained import copy_weights, pretrained
from convert_timm import convert
from keras import layers

from tests.helpers import array, long_on

pytestmark = long_on("jax")

B0 = {"width": 1.0, "depth": 1.0, "resolution": 64, "dropout": 0.2}
TINY = {"width": 0.1, "depth": 0.5, "resolution": 32, "dropout": 0.0}
MEAN, VARIANCE = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def randomize(model):
    """All weights but those that normalize images, so that none has a neutral value.

    Gamma is small, or rounding would grow from block to block.
    """
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if not isinstance(layer, layers.Normalization):
            for weight in layer.weights:
                value = rng.uniform(0.5, 1.5, weight.shape)
                if weight.name in ("beta", "moving_mean", "bias"):
                    value = value - 1
                elif weight.name == "gamma":
                    value = 0.4 * value
                elif weight.name != "moving_variance":
                    value = value * array(weight)
                weight.assign(value.astype("float32"))


def check_against_keras(theirs, variant):
    """With `weights=None` theirs divides by the root of what is ImageNet's deviation."""
    size = variant["resolution"]
    source = theirs(weights=None, input_shape=(size, size, 3), classifier_activation=None)
    randomize(source)
    model = efficientnet(**variant, classes=1000)
    copy_weights(source, model, head=True)
    image = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3))
    normalization = next(x for x in source.layers if isinstance(x, layers.Normalization))
    normalization.mean, normalization.variance = MEAN, VARIANCE
    ours = array(model((image / 255 - MEAN) / np.sqrt(VARIANCE)))
    expected = array(source(image))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3 * expected.std())
    assert rates(model) == pytest.approx(rates(source))


def rates(model):
    """Of the layers that leave out examples."""
    dropouts = [x for x in model.layers if isinstance(x, layers.Dropout)]
    return [x.rate for x in dropouts if x.noise_shape is not None]


def test_b0_is_that_of_keras():
    check_against_keras(keras.applications.EfficientNetB0, B0)


@pytest.mark.slow
def test_b7_is_that_of_keras():
    check_against_keras(keras.applications.EfficientNetB7, {**B7, "resolution": 64})


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant, weights, blocks, head",
    [(B7, 66_347_960, 55, 2560), (L2, 480_309_308, 88, 5504)],
    ids=["B7", "L2"],
)
def test_weights_of_the_papers_networks(variant, weights, blocks, head):
    model = efficientnet(**variant, classes=1000)
    assert sum(math.prod(v.shape) for v in model.trainable_variables) == weights
    assert sum(isinstance(x, layers.DepthwiseConv2D) for x in model.layers) == blocks
    assert model.get_layer("predictions").kernel.shape == (head, 1000)


def test_sizes_after_each_stage():
    model = efficientnet(**{**B0, "resolution": 224}, classes=5)
    names = [x.name for x in model.layers if x.name.endswith("project_bn")]
    sizes = {name[5]: model.get_layer(name).output.shape[1:] for name in names}
    assert sizes == {
        "1": (112, 112, 16),
        "2": (56, 56, 24),
        "3": (28, 28, 40),
        "4": (14, 14, 80),
        "5": (14, 14, 112),
        "6": (7, 7, 192),
        "7": (7, 7, 320),
    }
    assert model.output.shape == (None, 5)


def test_a_file_and_another_head(tmp_path):
    source = efficientnet(**TINY, classes=1000)
    randomize(source)
    path = tmp_path / "weights.weights.h5"
    source.save_weights(path)
    loaded = pretrained(TINY, path)
    model = efficientnet(**TINY, classes=3, frozen_statistics=True)
    head = array(model.get_layer("predictions").kernel)
    copy_weights(loaded, model, head=False)
    np.testing.assert_array_equal(array(model.get_layer("predictions").kernel), head)
    image = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    features = [keras.Model(m.input, m.layers[-1].input)(image) for m in (source, model)]
    np.testing.assert_array_equal(*map(array, features))
    with pytest.raises(ValueError, match="shape"):
        copy_weights(loaded, model, head=True)


def test_all_of_a_networks_statistics_are_frozen():
    model = efficientnet(**TINY, classes=3, frozen_statistics=True)
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    assert {type(norm) for norm in norms} == {FrozenStatistics}
    trained = {id(v) for v in model.trainable_variables}
    assert all(id(norm.gamma) in trained and id(norm.beta) in trained for norm in norms)


def test_it_is_that_of_timm():
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("tf_efficientnet_b0", pretrained=False).eval()
    rng = np.random.default_rng(0)
    state = theirs.state_dict()
    for name, tensor in state.items():
        if name.endswith(("weight", "running_var")):
            noise = rng.uniform(0.5, 1.5, tensor.shape)
            tensor.copy_(tensor * tensor.new_tensor(noise))
        elif name.endswith(("bias", "running_mean")):
            tensor.copy_(tensor.new_tensor(rng.uniform(-0.5, 0.5, tensor.shape)))
    model = efficientnet(**B0, classes=1000)
    convert({name: tensor.numpy() for name, tensor in state.items()}, model)
    images = rng.normal(size=(2, 64, 64, 3)).astype("float32")
    channels_first = images.transpose(0, 3, 1, 2)
    expected = theirs(state["bn1.bias"].new_tensor(channels_first)).detach().numpy()
    assert expected.std() > 1e-3
    np.testing.assert_allclose(
        array(model(images)), expected, rtol=1e-3, atol=1e-3 * expected.std()
    )

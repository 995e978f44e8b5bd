"""The networks: how many weights they have, of which sizes, and that they can be saved."""

import math

import keras
import numpy as np
import pytest
from architectures.pyramidnet import pyramidnet
from architectures.resnet import resnet
from architectures.resnet32 import resnet32, small_resnet32
from architectures.shake_shake import shake_shake
from architectures.small import small
from architectures.wide_resnet import wide_resnet
from keras import layers

from tests.helpers import array, long_on
from tests.reproduce.networks import COLOUR, GREY, LARGE, SHALLOW

pytestmark = long_on("jax")


def count(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def conv(inputs, outputs, size=3):
    return size * size * inputs * outputs


def test_weights_of_a_wide_resnet_by_hand():
    kernels = conv(3, 16) + 2 * conv(16, 16)
    kernels += conv(16, 32) + conv(32, 32) + conv(32, 64) + conv(64, 64)
    norms = 2 * (3 * 16 + 2 * 32 + 2 * 64)
    head = 64 * 10 + 10
    model = wide_resnet(COLOUR, 10, depth=10, width=1)
    assert count(model) == kernels + norms + head
    bare = wide_resnet(COLOUR, 10, depth=10, width=1, normalization=False)
    assert count(bare) == kernels + head


def test_weights_of_a_pyramidnet_by_hand():
    total, channels = conv(3, 16) + 2 * 16, 16
    for width in (83, 149, 216):  # 16 + 200 / 3 = 82.67 and 16 + 400 / 3 = 149.33
        total += conv(channels, width, 1) + conv(width, width) + conv(width, 4 * width, 1)
        total += 2 * (channels + width + width + 4 * width)
        channels = 4 * width
    assert count(pyramidnet(COLOUR, 10, depth=11)) == total + 2 * 864 + 864 * 10 + 10


@pytest.mark.parametrize("projections, weights", [(False, 464_154), (True, 466_906)])
def test_weights_of_the_small_resnet32(projections, weights):
    assert count(small_resnet32(COLOUR, 10, projections=projections)) == weights


def test_weights_of_wrn_40_2():
    assert count(wide_resnet(COLOUR, 10, depth=40, width=2)) == 2_232_794


@pytest.mark.slow
@pytest.mark.parametrize("make, weights", LARGE)
def test_weights_of_the_papers_networks(make, weights):
    assert count(make()) == weights


@pytest.mark.parametrize(
    "make, shapes",
    [
        (lambda: wide_resnet(GREY, 4, 10, 1), [(28, 16), (14, 32), (7, 64)]),
        (lambda: shake_shake(GREY, 4, 8, 8), [(28, 8), (14, 16), (7, 32)]),
        (lambda: pyramidnet(COLOUR, 4, 20, 48), [(32, 128), (16, 192), (8, 256)]),
        (lambda: resnet32(COLOUR, 4, 8, 16), [(32, 16), (16, 32), (8, 64)]),
        (lambda: small_resnet32(COLOUR, 4, 8), [(32, 16), (16, 32), (8, 64)]),
        (
            lambda: resnet((224, 224, 3), 4, 14, 8),
            [(56, 32), (28, 64), (14, 128), (7, 256)],
        ),
    ],
    ids=["wide", "shake-shake", "pyramid", "wide 32", "small 32", "imagenet"],
)
def test_sizes_after_each_stage(make, shapes):
    model = make()
    ends = {x.name[:6]: x.output.shape for x in model.layers if x.name.startswith("stage")}
    assert list(ends.values()) == [(None, side, side, size) for side, size in shapes]
    assert model.output.shape == (None, 4)


@pytest.mark.parametrize("shape, side", [((8, 8, 1), 8), (GREY, 14), (COLOUR, 16)])
def test_the_small_network(shape, side):
    model = small(shape, 10)
    kernels = [(shape[-1], 16), (16, 32), (32, 64), (64, 96), (96, 128)]
    norms = 2 * (16 + 32 + 64 + 96 + 128)
    assert count(model) == sum(conv(*k) for k in kernels) + norms + 128 * 10 + 10
    sides = [x.output.shape[1] for x in model.layers if type(x) is layers.Conv2D]
    assert sides == [side, side // 2, side // 2, -(-side // 4), -(-side // 4)]


@pytest.mark.parametrize("make", SHALLOW.values(), ids=SHALLOW)
def test_serialization(make):
    model = make()
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    shape = (2, *model.input.shape[1:])
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    np.testing.assert_array_equal(array(copy(x)), array(model(x)))


@pytest.mark.parametrize("make", [wide_resnet, shake_shake, pyramidnet, resnet32, resnet])
def test_a_bad_depth(make):
    with pytest.raises(ValueError, match=r"`depth` must be .* Received: depth=27"):
        make(COLOUR, 10, depth=27)
    with pytest.raises(ValueError, match=r"`depth` must be .* Received: depth=2"):
        make(COLOUR, 10, depth=2)

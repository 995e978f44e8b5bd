"""Each network in a small size, and in the sizes of the paper with their weights."""

import pytest
from architectures.pyramidnet import pyramidnet
from architectures.resnet import resnet
from architectures.resnet32 import resnet32, small_resnet32
from architectures.shake_shake import shake_shake
from architectures.small import small
from architectures.wide_resnet import wide_resnet

IMAGE, COLOUR, GREY = (8, 8, 3), (32, 32, 3), (28, 28, 1)
SHALLOW = {
    "wide": lambda: wide_resnet(IMAGE, 4, depth=10, width=2),
    "not normalized": lambda: wide_resnet(IMAGE, 4, depth=10, width=1, normalization=False),
    "shake-shake": lambda: shake_shake(IMAGE, 4, depth=8, width=8),
    "pyramid": lambda: pyramidnet(IMAGE, 4, depth=11, alpha=12),
    "shake-drop": lambda: pyramidnet(IMAGE, 4, depth=11, alpha=12, last_drop=0.5),
    "wide 32": lambda: resnet32(IMAGE, 4, depth=8, width=16),
    "small 32": lambda: small_resnet32(IMAGE, 4, depth=8),
    "projected 32": lambda: small_resnet32(IMAGE, 4, depth=8, projections=True),
    "imagenet": lambda: resnet((32, 32, 3), 4, depth=14, width=8),
    "small": lambda: small(IMAGE, 4, width=4),
}
LARGE = [
    pytest.param(lambda: wide_resnet(COLOUR, 10), 36_220_634, id="WRN-28-10"),
    pytest.param(lambda: wide_resnet(COLOUR, 100), 36_278_324, id="WRN-28-10, 100"),
    pytest.param(lambda: wide_resnet(GREY, 10), 36_220_346, id="WRN-28-10, grey"),
    pytest.param(lambda: wide_resnet(COLOUR, 10, 40, 10), 55_583_194, id="WRN-40-10"),
    pytest.param(lambda: shake_shake(COLOUR, 10), 26_192_922, id="Shake-Shake"),
    pytest.param(lambda: shake_shake(COLOUR, 100), 26_227_572, id="Shake-Shake, 100"),
    pytest.param(lambda: pyramidnet(COLOUR, 10), 26_210_842, id="PyramidNet"),
    pytest.param(
        lambda: pyramidnet(COLOUR, 100, last_drop=0.5), 26_288_692, id="ShakeDrop"
    ),
    pytest.param(lambda: resnet32(COLOUR, 10), 29_442_378, id="ResNet-32"),
    pytest.param(lambda: resnet((64, 64, 3), 1000), 25_557_032, id="ResNet-50"),
    pytest.param(lambda: resnet((64, 64, 3), 1000, 101), 44_549_160, id="ResNet-101"),
    pytest.param(lambda: resnet((64, 64, 3), 1000, 152), 60_192_808, id="ResNet-152"),
]

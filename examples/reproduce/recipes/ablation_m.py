"""Does a smaller m help: section 4.1, the middle of Figure 3.

    python examples/reproduce/train.py --recipe=ablation_m --m=4 --rho=0.05 --seeds=5

A small ResNet on CIFAR-10, m from 1 to 256 and rho from 0 to 0.15. The paper has a figure
without a table; the smaller m, the smaller the error. It does not say which network: this
is He's ResNet-32.

Time: not measured on any accelerator yet.
"""

from architectures.resnet32 import small_resnet32
from recipes.cifar_wrn28_10 import SETTINGS  # noqa: F401
from rows import Row

BY_DATASET = {}
ROWS = tuple(
    Row("Figure 3, middle", (f"--m={m} --rho={rho}",), "")
    for m in (1, 4, 16, 64, 256)
    for rho in (0.01, 0.02, 0.05, 0.1, 0.15)
)


def network(input_shape, classes, smoke):
    size = {"depth": 8, "width": 8} if smoke else {}
    return small_resnet32(input_shape, classes, **size)

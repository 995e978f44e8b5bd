"""Is the second-order term worth it: appendix C.4, Figures 4 and 5.

    python examples/reproduce/train.py --recipe=ablation_second_order --second_order=true
    python examples/reproduce/train.py --recipe=ablation_second_order

WRN-40-2 on CIFAR-10, with the gradient through the perturbation and without. The paper has
figures without a table; the first-order update has the lower test error.

Time: not measured on any accelerator yet.
"""

from architectures.wide_resnet import wide_resnet
from recipes.cifar_wrn28_10 import BY_DATASET, SETTINGS  # noqa: F401
from rows import Row

ROWS = tuple(
    Row("Figures 4 and 5", (f"--second_order={second_order}",), "")
    for second_order in ("false", "true")
)


def network(input_shape, classes, smoke):
    size = {"depth": 10, "width": 1} if smoke else {"depth": 40, "width": 2}
    return wide_resnet(input_shape, classes, **size)

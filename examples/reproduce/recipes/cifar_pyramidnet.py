"""PyramidNet-272 on CIFAR-10 and CIFAR-100: rows of Table 1.

    python examples/reproduce/train.py --recipe=cifar_pyramidnet --seeds=5
    python examples/reproduce/train.py --recipe=cifar_pyramidnet --dataset=cifar100

Without ShakeDrop, which has a recipe of its own. The paper does not state the epochs. 1800
are those of the AutoAugment paper.

Time: not measured on any accelerator yet.
"""

from architectures.pyramidnet import pyramidnet
from rows import rows
from settings import Settings

SETTINGS = Settings(
    dataset="cifar10",
    epochs=1800,
    batch_size=256,
    learning_rate=0.05,
    weight_decay=5e-4,
    rho=0.05,
    m=32,
)
BY_DATASET = {"cifar100": {"rho": 0.2}}
ROWS = rows(
    "Table 1, PyramidNet-272",
    {
        ("cifar10", "basic"): ("2.7 ± 0.1", "4.0 ± 0.1"),
        ("cifar10", "cutout"): ("1.9 ± 0.1", "2.5 ± 0.1"),
        ("cifar10", "autoaugment"): ("1.6 ± 0.1", "1.9 ± 0.1"),
        ("cifar100", "basic"): ("14.6 ± 0.4", "19.7 ± 0.3"),
        ("cifar100", "cutout"): ("12.6 ± 0.2", "16.4 ± 0.1"),
        ("cifar100", "autoaugment"): ("11.6 ± 0.1", "14.6 ± 0.1"),
    },
    longer=3600,
)


def network(input_shape, classes, smoke):
    size = {"depth": 11, "alpha": 6} if smoke else {}
    return pyramidnet(input_shape, classes, **size, last_drop=0.0)

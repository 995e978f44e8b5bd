"""PyramidNet-272 with ShakeDrop on CIFAR-10 and CIFAR-100: the last rows of Table 1.

    python examples/reproduce/train.py --recipe=cifar_pyramidnet_shakedrop --seeds=5
    python examples/reproduce/train.py --recipe=cifar_pyramidnet_shakedrop \\
        --dataset=cifar100 --augmentation=autoaugment --seeds=5

The paper does not state the epochs. 1800 are those of the AutoAugment paper.

Time: not measured on any accelerator yet.
"""

from architectures.pyramidnet import pyramidnet
from rows import rows
from settings import Settings

SETTINGS = Settings(
    dataset="cifar10",
    epochs=1800,
    batch_size=256,
    learning_rate=0.02,
    weight_decay=5e-4,
    rho=0.05,
    m=32,
)
BY_DATASET = {"cifar100": {"learning_rate": 0.05}}
ROWS = rows(
    "Table 1, PyramidNet-272 with ShakeDrop",
    {
        ("cifar10", "basic"): ("2.1 ± 0.1", "2.5 ± 0.1"),
        ("cifar10", "cutout"): ("1.6 ± <0.1", "1.9 ± 0.1"),
        ("cifar10", "autoaugment"): ("1.4 ± <0.1", "1.6 ± <0.1"),
        ("cifar100", "basic"): ("13.3 ± 0.2", "14.5 ± 0.1"),
        ("cifar100", "cutout"): ("11.3 ± 0.1", "11.8 ± 0.2"),
        ("cifar100", "autoaugment"): ("10.3 ± 0.1", "10.6 ± 0.1"),
    },
    longer=3600,
)


def network(input_shape, classes, smoke):
    size = {"depth": 11, "alpha": 6} if smoke else {}
    return pyramidnet(input_shape, classes, **size, last_drop=0.5)

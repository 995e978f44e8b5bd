"""Shake-Shake 26 2x96d on CIFAR-10 and CIFAR-100: rows of Table 1.

    python examples/reproduce/train.py --recipe=cifar_shake_shake --seeds=5
    python examples/reproduce/train.py --recipe=cifar_shake_shake --dataset=cifar100

The paper does not state the epochs. 1800 are those of the AutoAugment paper, as for
PyramidNet.

Time: not measured on any accelerator yet.
"""

from architectures.shake_shake import shake_shake
from rows import rows
from settings import Settings

SETTINGS = Settings(
    dataset="cifar10",
    epochs=1800,
    batch_size=256,
    learning_rate=0.02,
    weight_decay=1e-3,
    rho=0.02,
    m=32,
)
BY_DATASET = {"cifar100": {"rho": 0.05}}
ROWS = rows(
    "Table 1, Shake-Shake 26 2x96d",
    {
        ("cifar10", "basic"): ("2.3 ± <0.1", "2.7 ± 0.1"),
        ("cifar10", "cutout"): ("2.0 ± <0.1", "2.3 ± 0.1"),
        ("cifar10", "autoaugment"): ("1.6 ± <0.1", "1.9 ± 0.1"),
        ("cifar100", "basic"): ("15.1 ± 0.1", "17.0 ± 0.1"),
        ("cifar100", "cutout"): ("14.2 ± 0.2", "15.7 ± 0.2"),
        ("cifar100", "autoaugment"): ("12.8 ± 0.1", "14.1 ± 0.2"),
    },
    longer=3600,
)


def network(input_shape, classes, smoke):
    return shake_shake(input_shape, classes, **({"depth": 8, "width": 8} if smoke else {}))

"""WRN-28-10 on CIFAR-10 and CIFAR-100, 1800 epochs: the middle rows of Table 1.

    python examples/reproduce/train.py --recipe=cifar_wrn28_10_1800 --seeds=5
    python examples/reproduce/train.py --recipe=cifar_wrn28_10_1800 --dataset=cifar100 \\
        --augmentation=autoaugment --seeds=5
    python examples/reproduce/train.py --recipe=cifar_wrn28_10_1800 --rho=0 --epochs=3600

As `cifar_wrn28_10`, with half the learning rate and twice the weight decay.

Time: not measured on any accelerator yet.
"""

import dataclasses

from recipes import cifar_wrn28_10
from recipes.cifar_wrn28_10 import BY_DATASET, network  # noqa: F401
from rows import rows

SETTINGS = dataclasses.replace(
    cifar_wrn28_10.SETTINGS, epochs=1800, learning_rate=0.05, weight_decay=1e-3
)
ROWS = rows(
    "Table 1, WRN-28-10, 1800 epochs",
    {
        ("cifar10", "basic"): ("2.4 ± 0.1", "3.5 ± 0.1"),
        ("cifar10", "cutout"): ("2.1 ± 0.1", "2.7 ± 0.1"),
        ("cifar10", "autoaugment"): ("1.6 ± 0.1", "2.2 ± <0.1"),
        ("cifar100", "basic"): ("16.3 ± 0.2", "19.1 ± 0.1"),
        ("cifar100", "cutout"): ("14.0 ± 0.1", "17.4 ± 0.1"),
        ("cifar100", "autoaugment"): ("12.8 ± 0.2", "16.1 ± 0.2"),
    },
    longer=3600,
)

"""Shake-Shake 26 2x96d on Fashion-MNIST: rows of Table 5.

    python examples/reproduce/train.py --recipe=fashion_mnist_shake_shake --seeds=5
    python examples/reproduce/train.py --recipe=fashion_mnist_shake_shake --seeds=5 \\
        --augmentation=cutout

As `fashion_mnist_wrn28_10`, with a smaller rho.

Time: not measured on any accelerator yet.
"""

import dataclasses

from recipes import fashion_mnist_wrn28_10
from recipes.cifar_shake_shake import network  # noqa: F401
from rows import rows

SETTINGS = dataclasses.replace(fashion_mnist_wrn28_10.SETTINGS, rho=0.02)
BY_DATASET = {}
ROWS = rows(
    "Table 5, Fashion-MNIST, Shake-Shake 26 2x96d",
    {
        ("fashion_mnist", "basic"): ("3.97 ± 0.09", "4.37 ± 0.06"),
        ("fashion_mnist", "cutout"): ("3.59 ± 0.01", "3.76 ± 0.07"),
    },
)

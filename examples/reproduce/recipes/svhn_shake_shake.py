"""Shake-Shake 26 2x96d on SVHN with its extra images: rows of Table 5.

    python examples/reproduce/train.py --recipe=svhn_shake_shake --seeds=5
    python examples/reproduce/train.py --recipe=svhn_shake_shake --seeds=5 \\
        --augmentation=autoaugment_only

With AutoAugment the paper's plain training has the smaller error. See `svhn_wrn28_10` for
the augmentations and the epochs.

Time: not measured on any accelerator yet.
"""

from recipes.cifar_shake_shake import network  # noqa: F401
from recipes.svhn_wrn28_10 import BY_DATASET, SETTINGS  # noqa: F401
from rows import rows

ROWS = rows(
    "Table 5, SVHN, Shake-Shake 26 2x96d",
    {
        ("svhn_cropped", "basic"): ("1.44 ± 0.02", "1.58 ± 0.05"),
        ("svhn_cropped", "autoaugment_only"): ("1.07 ± 0.02", "1.03 ± 0.02"),
    },
)

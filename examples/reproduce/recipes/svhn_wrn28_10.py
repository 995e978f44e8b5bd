"""WRN-28-10 on SVHN with its extra images: rows of Table 5.

    python examples/reproduce/train.py --recipe=svhn_wrn28_10 --seeds=5
    python examples/reproduce/train.py --recipe=svhn_wrn28_10 --seeds=5 \\
        --augmentation=autoaugment_only

"basic" flips digits too, as the paper's code does. The AutoAugment row is SVHN's policy and
cutout, without a flip or a crop. The paper does not state the epochs: 200 are the default
of its code.

Time: not measured on any accelerator yet.
"""

from recipes.cifar_wrn28_10 import network  # noqa: F401
from rows import rows
from settings import Settings

SETTINGS = Settings(
    dataset="svhn_cropped",
    epochs=200,
    batch_size=256,
    learning_rate=0.01,
    weight_decay=5e-4,
    rho=0.01,
    m=32,
)
BY_DATASET = {}
ROWS = rows(
    "Table 5, SVHN, WRN-28-10",
    {
        ("svhn_cropped", "basic"): ("1.42 ± 0.02", "1.58 ± 0.03"),
        ("svhn_cropped", "autoaugment_only"): ("0.99 ± 0.01", "1.14 ± 0.04"),
    },
)

"""WRN-28-10 on Fashion-MNIST: rows of Table 5.

    python examples/reproduce/train.py --recipe=fashion_mnist_wrn28_10 --seeds=5
    python examples/reproduce/train.py --recipe=fashion_mnist_wrn28_10 --seeds=5 \\
        --augmentation=cutout
    python examples/reproduce/train.py --recipe=fashion_mnist_wrn28_10 --rho=0 --seeds=5

The paper's row "AA" is cutout alone. The paper does not state the epochs: 200 are the
default of its code.

Time of an epoch on one H100, JAX, `--mixed_precision=bfloat16`: 4.2 s plain, 15.5 s with
m = 32.
"""

from recipes.cifar_wrn28_10 import network  # noqa: F401
from rows import Row, rows
from settings import Settings

SETTINGS = Settings(
    dataset="fashion_mnist",
    epochs=200,
    batch_size=256,
    learning_rate=0.1,
    weight_decay=5e-4,
    rho=0.05,
    m=32,
)
BY_DATASET = {}
ROWS = rows(
    "Table 5, Fashion-MNIST, WRN-28-10",
    {
        ("fashion_mnist", "basic"): ("3.98 ± 0.05", "4.57 ± 0.07"),
        ("fashion_mnist", "cutout"): ("3.61 ± 0.06", "3.86 ± 0.14"),
    },
) + tuple(
    Row("Shortened, not in the paper", (f"--test_every=3 {flags}",), "")
    for flags in (
        "--rho=0 --epochs=15",
        "--rho=0 --epochs=30",
        "--epochs=15",
        "--epochs=15 --m=0",
    )
)

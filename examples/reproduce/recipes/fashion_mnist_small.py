"""A small network on Fashion-MNIST, which two processor cores can train.

    python examples/reproduce/train.py --recipe=fashion_mnist_small --seeds=5 \\
        --rho=0.2 --weight_decay=0.008
    python examples/reproduce/train.py --recipe=fashion_mnist_small --rho=0 --seeds=5

Not an experiment of the paper. The settings are those chosen for plain training, and the
first command has those chosen for SAM. README.md has what they gave.
"""

from architectures.small import small
from settings import Settings

SETTINGS = Settings(
    dataset="fashion_mnist",
    examples=3000,
    epochs=20,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=3e-2,
    rho=0.1,
    augmentation="none",
    test_every=2,
)
BY_DATASET = {}
ROWS = ()


def network(input_shape, classes, smoke):
    return small(input_shape, classes)

"""Dense layers on Fashion-MNIST, to see what their quantization loses.

    python examples/reproduce/train.py --recipe=fashion_mnist_mlp --seeds=5
    python examples/reproduce/train.py --recipe=fashion_mnist_mlp --rho=0 --seeds=5

Not an experiment of the paper. README.md has what it gave, and the commands.
"""

from architectures.mlp import mlp
from settings import Settings

SETTINGS = Settings(
    dataset="fashion_mnist",
    examples=3000,
    epochs=20,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=2e-3,
    rho=0.1,
    augmentation="none",
    test_every=2,
)
BY_DATASET = {}
ROWS = ()


def network(input_shape, classes, smoke):
    return mlp(input_shape, classes)

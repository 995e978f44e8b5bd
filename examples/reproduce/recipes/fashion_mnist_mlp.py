"""Dense layers on Fashion-MNIST, to see what their quantization loses.

    python examples/reproduce/train.py --recipe=fashion_mnist_mlp --seeds=5 \\
        --rho=0.05 --weight_decay=0.002
    python examples/reproduce/train.py --recipe=fashion_mnist_mlp --rho=0 --seeds=5

Not an experiment of the paper. The settings are those that quantized.py has chosen for
plain training, and the first command has those for SAM.
"""

import dataclasses

from architectures.mlp import mlp
from recipes import fashion_mnist_small
from recipes.fashion_mnist_small import BY_DATASET, ROWS  # noqa: F401

SETTINGS = dataclasses.replace(
    fashion_mnist_small.SETTINGS, learning_rate=0.03, weight_decay=8e-3
)


def network(input_shape, classes, smoke):
    return mlp(input_shape, classes)

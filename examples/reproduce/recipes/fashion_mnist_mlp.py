"""Dense layers on Fashion-MNIST, to see what their quantization loses.

    python examples/reproduce/train.py --recipe=fashion_mnist_mlp --seeds=5
    python examples/reproduce/train.py --recipe=fashion_mnist_mlp --rho=0 --seeds=5

Not an experiment of the paper. quantized.py chooses its settings; these are not chosen yet.
"""

from architectures.mlp import mlp
from recipes.fashion_mnist_small import BY_DATASET, ROWS, SETTINGS  # noqa: F401


def network(input_shape, classes, smoke):
    return mlp(input_shape, classes)

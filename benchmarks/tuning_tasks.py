"""The tasks of tuning.py: digits and Fashion-MNIST, with right and with wrong labels."""

import dataclasses
import sys
from pathlib import Path

import digits
import keras
import numpy as np

# The modules of reproduce/ import each other by their names.
sys.path.append(str(Path(__file__).parents[1] / "examples/reproduce"))

# The rates that are tried, for plain and for sharpness-aware training.
LEARNING_RATES = (0.003, 0.01, 0.03, 0.1, 0.3)


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned.

    Attributes:
        fashion: Bool, Fashion-MNIST's images instead of scikit-learn's digits.
        noise: Float, the part of training and validation labels that is made random.
        batch_size: Integer.
    """

    fashion: bool
    noise: float
    batch_size: int

    def load(self, data_dir):
        """Three pairs of images and labels. Those of the test are all right."""
        if not self.fashion:
            return digits.load_data(self.noise)
        return _fashion(data_dir, self.noise)

    def network(self):
        """Three convolutions with batch norm; on larger images the first has stride 2."""
        if not self.fashion:
            return digits.build_network()
        inputs = keras.Input((28, 28, 1))
        x = keras.layers.AveragePooling2D(2)(inputs)
        for filters, strides in ((32, 1), (64, 2), (128, 1)):
            x = keras.layers.Conv2D(filters, 3, strides, "same", use_bias=False)(x)
            x = keras.layers.BatchNormalization()(x)
            x = keras.layers.ReLU()(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return inputs, keras.layers.Dense(10)(x)


TASKS = {
    "digits": Task(False, 0.0, 32),
    "digits_noisy": Task(False, 0.4, 32),
    "fashion": Task(True, 0.0, 64),
    "fashion_noisy": Task(True, 0.4, 64),
}


def _fashion(data_dir, noise, train=3000, validation=2000):
    from data import idx

    if data_dir is None:
        raise ValueError("Fashion-MNIST needs `--data_dir`. Received: --data_dir=None")
    images, test = (idx.images(data_dir, split) for split in ("train", "t10k"))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(images))[: train + validation]
    labels = images.labels[order].astype("int64")
    wrong = rng.random(len(labels)) < noise
    labels = np.where(wrong, rng.integers(0, 10, len(labels)), labels)
    x = images.images[order].astype("float32") / 255
    test = test.images.astype("float32") / 255, test.labels.astype("int64")
    return (x[:train], labels[:train]), (x[train:], labels[train:]), test

"""The tasks of tuning.py: digits and Fashion-MNIST, with right and with wrong labels."""

import dataclasses

import digits
import examples_path  # noqa: F401
import keras

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
        import flatness_tasks  # It needs TensorFlow, for the reader of the images.

        return flatness_tasks.load_fashion(data_dir, 3000, 2000, self.noise)

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

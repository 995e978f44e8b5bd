"""What the ways to climb are tried on: digits with wrong labels, and Fashion-MNIST."""

import dataclasses
from collections.abc import Callable

import digits
import examples_path  # noqa: F401
import keras


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned, and how.

    Attributes:
        title: String.
        load: Function of `--data_dir` and a seed. It returns three pairs of images and
            labels, to train on, to choose by and to test with.
        network: Function without arguments. It returns a network's inputs and outputs, the
            last layer's input, and regular expressions for the weights of "the head",
            "the top" and "norm layers".
        axis: String, what is chosen beside rho: "rate" or "weight_decay".
        values: Tuple of floats, what is tried of it with plain training.
        stride: Integer. The other methods try the best of the values, and the one so many
            places further.
        setting: Dict of what is not chosen.
        nesterov: Bool, as of `keras.optimizers.SGD`.
        epochs: Integer.
        batch_size: Integer.
    """

    title: str
    load: Callable
    network: Callable
    axis: str
    values: tuple
    stride: int
    setting: dict
    nesterov: bool
    epochs: int
    batch_size: int


def noisy_digits(data_dir, seed):
    return digits.load_data(0.4)


def digits_network():
    inputs, outputs = digits.build_network()
    model = keras.Model(inputs, outputs)
    return inputs, outputs, model.layers[-1].input, parts("head", 2)


def fashion(noise):
    """The images of `fashion_mnist_small` in examples/reproduce/, with such a part of the
    training labels random."""

    def load(data_dir, seed):
        import data  # It needs TensorFlow, for the reader of the images.
        from data.noise import with_noise
        from data.subset import subset

        def ready(images):
            pixels = (images.images / 255 - source.mean) / source.std
            return pixels.astype("float32"), images.labels

        source = data.load("fashion_mnist", data_dir, validation=True)
        validation = ready(source.test.take(slice(3000)))
        source = data.load("fashion_mnist", data_dir)
        train = with_noise(subset(source, 3000, seed=0), noise, seed).train
        return ready(train), validation, ready(source.test)

    return load


def fashion_network():
    """That of `fashion_mnist_small`, in half its width."""
    from architectures.small import small

    model = small((28, 28, 1), 10, width=8)
    head = model.get_layer("logits")
    return model.input, model.output, head.input, parts("logits", 4)


def parts(head, last):
    """The regular expressions of a network with so many convolutions before the last."""
    top = rf"^({head}|conv2d_{last}|batch_normalization_{last})/"
    return {"the head": f"^{head}/", "the top": top, "norm layers": "^batch_normalization"}


FASHION = Task(
    title="Fashion-MNIST, all labels right",
    load=fashion(0.0),
    network=fashion_network,
    axis="weight_decay",
    values=(0.06, 0.03, 0.015, 0.0075, 0.00375),
    stride=2,
    setting={"rate": 0.1},
    nesterov=True,
    epochs=20,
    batch_size=128,
)
TASKS = {
    "digits": Task(
        title="Digits, 40 % of the training labels random",
        load=noisy_digits,
        network=digits_network,
        axis="rate",
        values=(0.001, 0.003, 0.01, 0.03, 0.1),
        stride=1,
        setting={"weight_decay": 0.0},
        nesterov=False,
        epochs=30,
        batch_size=32,
    ),
    "fashion": dataclasses.replace(
        FASHION,
        title="Fashion-MNIST, 40 % of the training labels random",
        load=fashion(0.4),
    ),
    "fashion_right": FASHION,
}


def for_smoke(data):
    """A few of the examples, for a first try."""
    return [(x[:64], y[:64]) for x, y in data]

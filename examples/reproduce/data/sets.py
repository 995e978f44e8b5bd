"""The sets of the paper: their classes, splits and channel constants."""

import dataclasses

CIFAR10 = (0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784)
CIFAR100 = (0.50707516, 0.48654887, 0.44091784), (0.26733429, 0.25643846, 0.27615047)
SVHN = (0.43090966, 0.4302428, 0.44634357), (0.19759192, 0.20029082, 0.19811132)
MNIST = (0.1307,), (0.3081,)  # The paper's code has these for Fashion-MNIST.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """What is known of a set before it is read.

    Args:
        classes: Integer, the number of classes.
        constants: Mean and standard deviation of each channel.
        small: Whether its images are small, and are kept in memory.
        train: The training split, as TensorFlow Datasets names it.
        test: The test split, likewise.
        in_tfds: Whether TensorFlow Datasets has the set.
    """

    classes: int
    constants: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    small: bool = False
    train: str = "train"
    test: str = "test"
    in_tfds: bool = True


SETS = {
    "cifar10": ImageSet(10, CIFAR10, small=True),
    "cifar100": ImageSet(100, CIFAR100, small=True),
    "svhn_cropped": ImageSet(10, SVHN, small=True, train="train+extra"),
    "fashion_mnist": ImageSet(10, MNIST, small=True),
    "imagenet2012": ImageSet(1000, test="validation"),
    "oxford_flowers102": ImageSet(102, train="train+validation"),
    "oxford_iiit_pet": ImageSet(37),
    "cars196": ImageSet(196),
    "food101": ImageSet(101, test="validation"),
    "fgvc_aircraft": ImageSet(100, in_tfds=False),
    "birdsnap": ImageSet(500, in_tfds=False),
}


def find(name):
    if name not in SETS:
        names = ", ".join(SETS)
        raise ValueError(f"`name` must be one of {names}. Received: name={name!r}")
    return SETS[name]

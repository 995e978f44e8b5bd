"""CIFAR-10 with wrong labels: Table 4, and the choice of rho in Table 8.

    python examples/reproduce/train.py --recipe=cifar10_noise --noise=0.4 --seeds=5
    python examples/reproduce/train.py --recipe=cifar10_noise --noise=0.4 --bootstrap
    python examples/reproduce/train.py --recipe=cifar10_noise --noise=0.4 --rho=0 --mixup=8
    python examples/reproduce/train.py --recipe=cifar10_noise --noise=0.8 --rho=0.05

The test labels are right. "Bootstrap" trains a first network as usual, and then a second
one from scratch on the labels that the first predicts for the training images. Of mixup the
paper reports the best alpha of 1, 8, 16 and 32 at each level.

The network is what the paper's source (MentorMix) calls ResNet-32, of 29 million weights.
The paper gives no learning rate, weight decay, batch size or augmentation: these are those
of its other CIFAR experiments. It does not say whether a wrong label may be the right one
either: here it may, as a random label is drawn from all classes.

Time: not measured on any accelerator yet.
"""

from architectures.resnet32 import resnet32
from rows import Row
from settings import Settings

SETTINGS = Settings(
    dataset="cifar10",
    epochs=200,
    batch_size=256,
    learning_rate=0.1,
    weight_decay=5e-4,
    rho=0.1,
    m=32,
)
BY_DATASET = {}

LEVELS = 0.2, 0.4, 0.6, 0.8
ACCURACY = {  # At these levels, with what the flags are beside `--noise`.
    "--rho=0": ("84.8", "68.8", "48.2", "26.2"),
    "--rho=0 --mixup={}": ("93.0", "90.0", "83.8", "70.2"),
    "--rho=0 --mixup={} --bootstrap=true": ("93.3", "92.0", "87.6", "72.0"),
    "--rho={rho}": ("95.1", "93.4", "90.5", "77.9"),
    "--rho={rho} --bootstrap=true": ("95.4", "94.2", "91.8", "79.9"),
}
ALPHAS = 1, 8, 16, 32


def _flags(flags, level):
    flags = f"--noise={level} {flags}".replace("{rho}", "0.05" if level == 0.8 else "0.1")
    return tuple(dict.fromkeys(flags.format(alpha) for alpha in ALPHAS))


ROWS = tuple(
    Row("Table 4, accuracy", _flags(flags, level), accuracy)
    for flags, accuracies in ACCURACY.items()
    for level, accuracy in zip(LEVELS, accuracies)
)

ERROR_BY_RHO = {  # Of bootstrapped SAM, on right labels of a tenth held out; by level.
    0: ("15.0", "31.2", "52.3", "73.5"),
    0.01: ("13.7", "28.7", "50.1", "72.9"),
    0.02: ("12.8", "27.8", "48.9", "73.1"),
    0.05: ("11.6", "25.6", "47.1", "21.0"),
    0.1: ("4.6", "6.0", "8.7", "56.1"),
    0.2: ("5.3", "7.4", "23.3", "77.1"),
    0.5: ("17.6", "40.9", "80.1", "89.9"),
}
ROWS += tuple(
    Row(
        "Table 8, error on held-out images",
        (f"--noise={level} --rho={rho} --bootstrap=true --validation=true",),
        error,
    )
    for rho, errors in ERROR_BY_RHO.items()
    for level, error in zip(LEVELS, errors)
)


def network(input_shape, classes, smoke):
    return resnet32(input_shape, classes, **({"depth": 8, "width": 8} if smoke else {}))

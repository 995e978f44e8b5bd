"""WRN-28-10 on CIFAR-10 and CIFAR-100, 200 epochs: the first rows of Table 1.

    python examples/reproduce/train.py --recipe=cifar_wrn28_10 --dataset=cifar10 --seeds=5
    python examples/reproduce/train.py --recipe=cifar_wrn28_10 --dataset=cifar100 \\
        --augmentation=cutout --seeds=5
    python examples/reproduce/train.py --recipe=cifar_wrn28_10 --rho=0 --epochs=400

`ROWS` has the flags of each row, beside its numbers. The paper trained on 8 devices with 32
examples each, so m is 32 wherever this runs.

Time: not measured on any accelerator yet.
"""

from architectures.wide_resnet import wide_resnet
from rows import rows
from settings import Settings

SETTINGS = Settings(
    dataset="cifar10",
    epochs=200,
    batch_size=256,
    learning_rate=0.1,
    weight_decay=5e-4,
    rho=0.05,
    m=32,
)
BY_DATASET = {"cifar100": {"rho": 0.1}}

ONE_GPU = "google-research/sam issue 6, one GPU"
FOUR_GPUS = "google-research/sam issue 8, m = 64"
ROWS = rows(
    "Table 1, WRN-28-10, 200 epochs",
    {
        ("cifar10", "basic"): (
            "2.7 ± 0.1",
            "3.5 ± 0.1",
            {FOUR_GPUS: "2.96"},
            {ONE_GPU: "3.8", FOUR_GPUS: "3.5"},
        ),
        ("cifar10", "cutout"): ("2.3 ± 0.1", "2.6 ± 0.1", {}, {ONE_GPU: "2.9"}),
        ("cifar10", "autoaugment"): ("2.1 ± <0.1", "2.3 ± 0.1"),
        ("cifar100", "basic"): ("16.5 ± 0.2", "18.8 ± 0.2", {}, {ONE_GPU: "19.1"}),
        ("cifar100", "cutout"): ("14.9 ± 0.2", "16.9 ± 0.1", {}, {ONE_GPU: "17.7"}),
        ("cifar100", "autoaugment"): ("13.6 ± 0.2", "15.8 ± 0.2"),
    },
    longer=400,
)


def network(input_shape, classes, smoke):
    size = {"depth": 10, "width": 1} if smoke else {"depth": 28, "width": 10}
    return wide_resnet(input_shape, classes, **size)

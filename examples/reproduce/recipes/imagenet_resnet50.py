"""ResNet-50 on ImageNet: rows of Table 2.

    python examples/reproduce/train.py --recipe=imagenet_resnet50 --strategy=tpu \\
        --data_dir=gs://... --mixed_precision=bfloat16 --epochs=100 --seeds=5
    python examples/reproduce/train.py --recipe=imagenet_resnet50 --rho=0 --epochs=400

The paper trained on 32 TPU cores with 128 examples each, so m is 128 wherever this runs.
ImageNet has to be downloaded by hand: TensorFlow Datasets says from where.

Time: not measured on any accelerator yet.
"""

from architectures.resnet import resnet
from rows import Row
from settings import Settings

SETTINGS = Settings(
    dataset="imagenet2012",
    epochs=100,
    batch_size=4096,
    learning_rate=1.0,
    weight_decay=1e-4,
    label_smoothing=0.1,
    rho=0.05,
    m=128,
    image_size=224,
)
BY_DATASET = {}


def rows(depth, errors):
    """Two rows for each number of epochs, with the errors of top 1 and of top 5."""
    table = f"Table 2, ResNet-{depth}"
    return tuple(
        Row(table, (f"--epochs={epochs}{rho}",), paper)
        for epochs, both in errors.items()
        for rho, paper in zip(("", " --rho=0"), both)
    )


ROWS = rows(
    50,
    {
        100: ("22.5 ± 0.1 / 6.28 ± 0.08", "22.9 ± 0.1 / 6.62 ± 0.11"),
        200: ("21.4 ± 0.1 / 5.82 ± 0.03", "22.3 ± 0.1 / 6.37 ± 0.04"),
        400: ("20.9 ± 0.1 / 5.51 ± 0.03", "22.3 ± 0.1 / 6.40 ± 0.06"),
    },
)


def network(input_shape, classes, smoke, depth=50):
    size = {"depth": 14, "width": 8} if smoke else {"depth": depth}
    return resnet(input_shape, classes, **size)

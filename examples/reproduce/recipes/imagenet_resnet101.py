"""ResNet-101 on ImageNet: rows of Table 2.

    python examples/reproduce/train.py --recipe=imagenet_resnet101 --strategy=tpu \\
        --data_dir=gs://... --mixed_precision=bfloat16 --epochs=100 --seeds=5
    python examples/reproduce/train.py --recipe=imagenet_resnet101 --rho=0 --epochs=400

As `imagenet_resnet50`, with a deeper network.

The paper's number without SAM at 400 epochs is nearly ResNet-50's, and may be a slip. Time:
not measured on any accelerator yet.
"""

import functools

from recipes import imagenet_resnet50
from recipes.imagenet_resnet50 import BY_DATASET, SETTINGS, rows  # noqa: F401

ROWS = rows(
    101,
    {
        100: ("20.2 ± 0.1 / 5.12 ± 0.03", "21.2 ± 0.1 / 5.66 ± 0.05"),
        200: ("19.4 ± 0.1 / 4.76 ± 0.03", "20.9 ± 0.1 / 5.66 ± 0.04"),
        400: ("19.0 ± <0.01 / 4.65 ± 0.05", "22.3 ± 0.1 / 6.41 ± 0.06"),
    },
)
network = functools.partial(imagenet_resnet50.network, depth=101)

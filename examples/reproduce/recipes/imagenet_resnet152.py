"""ResNet-152 on ImageNet: rows of Table 2.

    python examples/reproduce/train.py --recipe=imagenet_resnet152 --strategy=tpu \\
        --data_dir=gs://... --mixed_precision=bfloat16 --epochs=100 --seeds=5
    python examples/reproduce/train.py --recipe=imagenet_resnet152 --rho=0 --epochs=400

As `imagenet_resnet50`, with a deeper network.

Time: not measured on any accelerator yet.
"""

import functools

from recipes import imagenet_resnet50
from recipes.imagenet_resnet50 import BY_DATASET, SETTINGS, rows  # noqa: F401

ROWS = rows(
    152,
    {
        100: ("19.2 ± <0.01 / 4.69 ± 0.04", "20.4 ± <0.0 / 5.39 ± 0.06"),
        200: ("18.5 ± 0.1 / 4.37 ± 0.03", "20.3 ± 0.2 / 5.39 ± 0.07"),
        400: ("18.4 ± <0.01 / 4.35 ± 0.04", "20.9 ± <0.0 / 5.84 ± 0.07"),
    },
)
network = functools.partial(imagenet_resnet50.network, depth=152)

"""EfficientNet-L2, fine-tuned on nine data sets: Table 3.

    python examples/reproduce/train.py --recipe=finetune_efficientnet_l2 \\
        --dataset=cifar100 --pretrained=l2.weights.h5
    python examples/reproduce/train.py --recipe=finetune_efficientnet_l2 \\
        --dataset=oxford_flowers102 --pretrained=l2.weights.h5 --rho=0

Keras has no weights of it. `--pretrained` is a file of them for
`architectures.efficientnet`: `convert_timm.py` makes one (the paper's are NoisyStudent's at
475 pixels). The paper trains with 512 examples on 128 TPU cores, so m is 4. Its steps are
"adjusted accordingly", which we take for 10000.

Time: not measured on any accelerator yet.
"""

import dataclasses
import functools

from architectures.efficientnet import L2
from architectures.pretrained import copy_weights, pretrained
from recipes import finetune_efficientnet_b7
from recipes.finetune_efficientnet_b7 import CIFAR, rows

SETTINGS = dataclasses.replace(
    finetune_efficientnet_b7.SETTINGS,
    steps=10000,
    batch_size=512,
    learning_rate=0.008,
    m=4,
    image_size=475,
)
BY_DATASET = {
    "cifar10": CIFAR,
    "cifar100": CIFAR,
    # Ten epochs.
    "imagenet2012": {"steps": 25020, "learning_rate": 0.1, "label_smoothing": 0.1},
}
ROWS = rows(
    "EfficientNet-L2",
    {
        "fgvc_aircraft": ("4.82 ± 0.08", "5.80 ± 0.1", None),
        "oxford_flowers102": ("0.35 ± 0.01", "0.40 ± 0.02", None),
        "oxford_iiit_pet": ("2.90 ± 0.04", "3.08 ± 0.04", None),
        "cars196": ("4.04 ± 0.03", "4.93 ± 0.04", None),
        "cifar10": ("0.30 ± 0.01", "0.34 ± 0.02", None),
        "cifar100": ("3.92 ± 0.06", "4.07 ± 0.08", None),
        "birdsnap": ("9.93 ± 0.15", "10.31 ± 0.15", None),
        "food101": ("3.82 ± 0.01", "3.97 ± 0.03", None),
        "imagenet2012": ("11.39 ± 0.02", "11.8", None),
    },
)
network = functools.partial(finetune_efficientnet_b7.network, variant=L2)


def start(network, path):
    """Gives a network the weights to fine-tune. ImageNet's head stays its own."""
    if not path:
        raise ValueError("`--pretrained` must name a file of weights. See this recipe.")
    copy_weights(pretrained(L2, path), network, head=network.output_shape[-1] == 1000)

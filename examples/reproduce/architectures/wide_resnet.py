"""Wide ResNets, with shortcuts that have no weights."""

import keras
from keras import layers

from architectures.layers import (
    blocks_per_stage,
    classifier,
    conv,
    norm_relu,
    relu,
    shortcut,
)


def wide_resnet(input_shape, classes, depth=28, width=10, normalization=True):
    """A wide ResNet, as the paper's code has it: WRN-28-10 by default.

    Where a block has more channels than its input, its shortcut is a mean over squares and
    zeros for the missing channels. (Other versions have a convolution there.)

    Args:
        input_shape: Tuple `(height, width, channels)`.
        classes: Integer, the number of logits.
        depth: Integer, a multiple of 6 plus 4. Defaults to `28`.
        width: Integer, by which the channels of the stages, 16, 32 and 64, are multiplied.
            Defaults to `10`.
        normalization: Bool. Whether there is batch norm. The paper takes the spectra of
            the Hessian from a WRN-40-10 without it. Defaults to `True`.

    Returns:
        A `keras.Model`.

    Reference:
        - [Zagoruyko and Komodakis, 2016](https://arxiv.org/abs/1605.07146)
    """
    blocks = blocks_per_stage(depth, in_block=2, others=4)
    activated = norm_relu if normalization else relu
    inputs = keras.Input(input_shape)
    # The shortcut of the first block begins after the activation, all others before it.
    x = activated(conv(16, 3)(inputs))
    for stage, stage_strides in enumerate((1, 2, 2), start=1):
        channels = 16 * width * 2 ** (stage - 1)
        for block in range(1, blocks + 1):
            strides = stage_strides if block == 1 else 1
            y = x if stage == block == 1 else activated(x)
            y = conv(channels, 3, strides)(y)
            y = conv(channels, 3)(activated(y))
            add = layers.Add(name=f"stage{stage}_block{block}")
            x = add([shortcut(x, channels, strides), y])
    x = layers.GlobalAveragePooling2D()(activated(x))
    outputs = classifier(classes)(x)
    return keras.Model(inputs, outputs, name=f"wide_resnet_{depth}_{width}")

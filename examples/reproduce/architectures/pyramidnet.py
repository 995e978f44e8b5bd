"""PyramidNets, with and without ShakeDrop."""

import keras
from keras import layers

from architectures.gates import ShakeDrop
from architectures.layers import (
    blocks_per_stage,
    classifier,
    conv,
    norm,
    norm_relu,
    shortcut,
)


def pyramidnet(input_shape, classes, depth=272, alpha=200, last_drop=0.0):
    """A PyramidNet of bottleneck blocks: 272 layers and alpha 200 by default.

    The blocks' widths are rounded, as in the paper's code. Where they are cut off to
    integers, as in the first publication, there are about 0.2 million weights less.

    Args:
        input_shape: Tuple `(height, width, channels)`.
        classes: Integer, the number of logits.
        depth: Integer, a multiple of 9 plus 2. Defaults to `272`.
        alpha: Number, by which the width grows from the first block to the last.
            Defaults to `200`.
        last_drop: Float from 0 to 1. The probability that ShakeDrop drops an example in
            the last block. It grows in proportion to the number of the block. The paper
            has `0.5`. Defaults to `0.0`, for a network without ShakeDrop.

    Returns:
        A `keras.Model`.

    Reference:
        - [Han et al., 2016](https://arxiv.org/abs/1610.02915)
        - [Yamada et al., 2018](https://arxiv.org/abs/1802.02375), ShakeDrop
    """
    blocks = blocks_per_stage(depth, in_block=3, others=2)
    number = 0
    inputs = keras.Input(input_shape)
    x = norm()(conv(16, 3)(inputs))
    for stage, stage_strides in enumerate((1, 2, 2), start=1):
        for block in range(1, blocks + 1):
            number += 1
            part = number / (3 * blocks)
            channels = round(16 + alpha * part)
            strides = stage_strides if block == 1 else 1
            y = _bottleneck(x, channels, strides)
            if last_drop:
                y = ShakeDrop(1 - last_drop * part)(y)
            add = layers.Add(name=f"stage{stage}_block{block}")
            x = add([shortcut(x, 4 * channels, strides), y])
    x = layers.GlobalAveragePooling2D()(norm_relu(x))
    outputs = classifier(classes)(x)
    return keras.Model(inputs, outputs, name=f"pyramidnet_{depth}_{alpha}")


def _bottleneck(x, channels, strides):
    x = conv(channels, 1)(norm()(x))
    x = conv(channels, 3, strides)(norm_relu(x))
    return norm()(conv(4 * channels, 1)(norm_relu(x)))

"""ResNets with Shake-Shake regularization."""

import keras
from keras import layers

from architectures.gates import ShakeShake
from architectures.layers import (
    blocks_per_stage,
    classifier,
    conv,
    norm,
    norm_relu,
    relu,
)


def shake_shake(input_shape, classes, depth=26, width=96):
    """A Shake-Shake network: 26 2x96d by default, which the paper calls WRN 26-2x6.

    Args:
        input_shape: Tuple `(height, width, channels)`.
        classes: Integer, the number of logits.
        depth: Integer, a multiple of 6 plus 2. Defaults to `26`.
        width: Even integer, the channels of the first stage. Defaults to `96`.

    Returns:
        A `keras.Model`.

    Reference:
        - [Gastaldi, 2017](https://arxiv.org/abs/1705.07485)
    """
    blocks = blocks_per_stage(depth, in_block=2, others=2)
    inputs = keras.Input(input_shape)
    x = norm()(conv(16, 3)(inputs))
    for stage, stage_strides in enumerate((1, 2, 2), start=1):
        channels = width * 2 ** (stage - 1)
        for block in range(1, blocks + 1):
            strides = stage_strides if block == 1 else 1
            branches = [_branch(x, channels, strides) for _ in range(2)]
            add = layers.Add(name=f"stage{stage}_block{block}")
            x = add([_shortcut(x, channels, strides), ShakeShake()(branches)])
    x = layers.GlobalAveragePooling2D()(relu(x))
    outputs = classifier(classes)(x)
    return keras.Model(inputs, outputs, name=f"shake_shake_{depth}_2x{width}d")


def _branch(x, channels, strides):
    x = conv(channels, 3, strides)(relu(x))
    return norm()(conv(channels, 3)(norm_relu(x)))


def _shortcut(x, channels, strides):
    """Half of the channels are of the image, the others of it shifted by one pixel."""
    if x.shape[-1] == channels:
        return x
    shifted = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    shifted = layers.Cropping2D(((1, 0), (1, 0)))(shifted)
    halves = [conv(channels // 2, 1, strides)(image) for image in (x, shifted)]
    return norm()(layers.Concatenate()(halves))

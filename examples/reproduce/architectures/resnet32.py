"""ResNet-32, for the experiments with noisy labels.

The paper gives the name only, and says that it follows Jiang et al. (2020), whose code has
a wide network under that name. The original ResNet-32 has 63 times fewer weights, and was
seen to stay below the accuracies of the paper's table. Both are here.
"""

import keras
from keras import layers

from architectures.layers import (
    blocks_per_stage,
    classifier,
    conv,
    norm,
    norm_relu,
    relu,
    shortcut,
)


def resnet32(input_shape, classes, depth=32, width=128):
    """The wide one, of pre-activation blocks.

    Args:
        input_shape: Tuple `(height, width, channels)`.
        classes: Integer, the number of logits.
        depth: Integer, a multiple of 6 plus 2. Defaults to `32`.
        width: Even integer, the channels of the first stage. Defaults to `128`.

    Returns:
        A `keras.Model`.

    Reference:
        - [Jiang et al., 2020](https://arxiv.org/abs/1911.09781), MentorMix
    """
    blocks = blocks_per_stage(depth, in_block=2, others=2)
    inputs = keras.Input(input_shape)
    # The first block has batch norm after its activation, and its shortcut after both.
    x = _wide_norm()(_leaky()(conv(width // 2, 3)(inputs)))
    for stage, stage_strides in enumerate((1, 2, 2), start=1):
        channels = width * 2 ** (stage - 1)
        for block in range(1, blocks + 1):
            strides = stage_strides if block == 1 else 1
            y = x if stage == block == 1 else _leaky()(_wide_norm()(x))
            y = conv(channels, 3, strides)(y)
            y = conv(channels, 3)(_leaky()(_wide_norm()(y)))
            add = layers.Add(name=f"stage{stage}_block{block}")
            x = add([shortcut(x, channels, strides, centred=True), y])
    x = layers.GlobalAveragePooling2D()(_leaky()(_wide_norm()(x)))
    # U(-s, s) with s = sqrt(3 / inputs).
    initializer = keras.initializers.VarianceScaling(1.0, "fan_in", "uniform")
    outputs = layers.Dense(classes, kernel_initializer=initializer, name="logits")(x)
    return keras.Model(inputs, outputs, name=f"resnet_{depth}_{width}")


def small_resnet32(input_shape, classes, depth=32, width=16, projections=False):
    """The original one.

    Args:
        input_shape: Tuple `(height, width, channels)`.
        classes: Integer, the number of logits.
        depth: Integer, a multiple of 6 plus 2. Defaults to `32`.
        width: Integer, the channels of the first stage. Defaults to `16`.
        projections: Bool. Whether a shortcut between stages is a convolution ("option B"),
            or leaves out pixels and adds zeros ("option A"). Defaults to `False`.

    Returns:
        A `keras.Model`.

    Reference:
        - [He et al., 2015](https://arxiv.org/abs/1512.03385), section 4.2
    """
    blocks = blocks_per_stage(depth, in_block=2, others=2)
    inputs = keras.Input(input_shape)
    x = norm_relu(conv(width, 3)(inputs))
    for stage, stage_strides in enumerate((1, 2, 2), start=1):
        channels = width * 2 ** (stage - 1)
        for block in range(1, blocks + 1):
            strides = stage_strides if block == 1 else 1
            y = norm_relu(conv(channels, 3, strides)(x))
            y = norm()(conv(channels, 3)(y))
            if strides > 1 and projections:
                x = norm()(conv(channels, 1, strides)(x))
            elif strides > 1:
                x = shortcut(layers.MaxPooling2D(1, strides)(x), channels)
            x = layers.Add(name=f"stage{stage}_block{block}")([x, y])
            x = relu(x)
    outputs = classifier(classes)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs, name=f"small_resnet_{depth}_{width}")


def _leaky():
    return layers.LeakyReLU(0.1)


def _wide_norm():
    return norm(epsilon=1e-3)

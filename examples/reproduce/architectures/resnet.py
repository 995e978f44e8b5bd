"""ResNets for ImageNet."""

import keras
from keras import layers

from architectures.layers import norm, norm_relu, relu

# Blocks in each stage. The first is for a short trial.
BLOCKS = {14: (1, 1, 1, 1), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet(input_shape, classes, depth=50, width=64):
    """A ResNet of bottleneck blocks, as in the paper's code.

    That is version 1.5, which has the strides in the convolutions of 3 x 3. A block begins
    as the identity: the last batch norm's gamma is 0. After the first convolution there is
    batch norm, and no activation.

    Args:
        input_shape: Tuple `(height, width, channels)`.
        classes: Integer, the number of logits.
        depth: 14, 50, 101 or 152. Defaults to `50`.
        width: Integer, the channels of the first convolution. Defaults to `64`.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: if there is no network of that depth.

    Reference:
        - [He et al., 2015](https://arxiv.org/abs/1512.03385)
    """
    if depth not in BLOCKS:
        raise ValueError(f"`depth` must be one of {list(BLOCKS)}. Received: depth={depth}")
    inputs = keras.Input(input_shape)
    x = layers.ZeroPadding2D(3)(inputs)
    x = layers.Conv2D(width, 7, 2, use_bias=False, kernel_initializer="lecun_normal")(x)
    x = layers.MaxPooling2D(3, 2, padding="same")(norm()(x))
    for stage, blocks in enumerate(BLOCKS[depth], start=1):
        channels = width * 2 ** (stage - 1)
        for block in range(1, blocks + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            y = norm_relu(_conv(channels, 1)(x))
            y = norm_relu(_conv(channels, 3, strides)(y))
            y = norm(gamma_initializer="zeros")(_conv(4 * channels, 1)(y))
            if block == 1:
                x = norm()(_conv(4 * channels, 1, strides)(x))
            x = layers.Add(name=f"stage{stage}_block{block}")([x, y])
            x = relu(x)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(classes, kernel_initializer="lecun_normal", name="logits")(x)
    return keras.Model(inputs, outputs, name=f"resnet_{depth}")


def _conv(filters, size, strides=1):
    """The initial values are Flax's own, not those of the networks for CIFAR."""
    return layers.Conv2D(
        filters,
        size,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="lecun_normal",
    )

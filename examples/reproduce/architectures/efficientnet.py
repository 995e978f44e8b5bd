"""EfficientNets, up to L2."""

import math

import keras
from keras import layers

from architectures.frozen import FrozenStatistics

# The networks of the paper. The weights for L2 are of images of 475 pixels.
B7 = {"width": 2.0, "depth": 3.1, "resolution": 600, "dropout": 0.5}
L2 = {"width": 4.3, "depth": 5.3, "resolution": 475, "dropout": 0.5}

# Of B0: channels, blocks, size of the kernel, strides, expansion.
STAGES = [
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
]


def efficientnet(
    width, depth, resolution, dropout, classes, drop_connect=0.2, frozen_statistics=False
):
    """An EfficientNet. Its layers with weights are named as in `keras.applications`.

    Args:
        width: Float, by which the channels of B0 are multiplied.
        depth: Float, by which the numbers of blocks of B0 are multiplied.
        resolution: Integer, the height and the width of the images. Published weights
            expect (x / 255 - mean) / std, with the mean and the std of ImageNet.
        dropout: Float, the rate of dropout before the last layer.
        classes: Integer, the number of logits.
        drop_connect: Float, the rate at which an example passes by the last block. The
            rate of a block is in proportion to its number. Defaults to `0.2`.
        frozen_statistics: Bool. Whether batch norm normalizes with its moving statistics
            in training too, and keeps them. The paper fine-tunes so. Defaults to `False`.

    Returns:
        A `keras.Model`.

    Example:

    >>> model = efficientnet(**B7, classes=100, frozen_statistics=True)

    Reference:
        - [Tan and Le, 2019](https://arxiv.org/abs/1905.11946)
    """
    norm = FrozenStatistics if frozen_statistics else layers.BatchNormalization
    counts = [math.ceil(depth * stage[1]) for stage in STAGES]
    number = 0
    inputs = keras.Input((resolution, resolution, 3))
    x = _conv(_rounded(32 * width), 3, "stem_conv", strides=2)(inputs)
    x = _swish(norm(name="stem_bn")(x))
    for stage, count in enumerate(counts):
        channels, _, size, stage_strides, expansion = STAGES[stage]
        for block in range(count):
            strides = stage_strides if block == 0 else 1
            name = f"block{stage + 1}{chr(ord('a') + block)}"
            y = _block(x, norm, name, _rounded(channels * width), size, strides, expansion)
            if strides == 1 and y.shape == x.shape:
                rate = drop_connect * number / sum(counts)
                # Of a random part of the examples only x goes on.
                y = layers.Dropout(rate, noise_shape=(None, 1, 1, 1))(y)
                y = layers.Add(name=f"{name}_add")([y, x])
            x = y
            number += 1
    x = _conv(_rounded(1280 * width), 1, "top_conv")(x)
    x = layers.GlobalAveragePooling2D()(_swish(norm(name="top_bn")(x)))
    x = layers.Dropout(dropout)(x)
    initializer = keras.initializers.VarianceScaling(1 / 3, "fan_out", "uniform")
    outputs = layers.Dense(classes, kernel_initializer=initializer, name="predictions")(x)
    return keras.Model(inputs, outputs, name="efficientnet")


def _block(x, norm, name, channels, size, strides, expansion):
    """An inverted bottleneck, with squeeze and excitation."""
    inner, squeezed = x.shape[-1] * expansion, int(x.shape[-1] * 0.25)
    if expansion > 1:
        x = _conv(inner, 1, f"{name}_expand_conv")(x)
        x = _swish(norm(name=f"{name}_expand_bn")(x))
    depthwise = layers.DepthwiseConv2D(
        size,
        strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{name}_dwconv",
    )
    x = _swish(norm(name=f"{name}_bn")(depthwise(x)))
    share = layers.GlobalAveragePooling2D(keepdims=True)(x)
    share = _conv(squeezed, 1, f"{name}_se_reduce", use_bias=True)(share)
    share = _conv(inner, 1, f"{name}_se_expand", use_bias=True)(_swish(share))
    x = layers.Multiply()([x, layers.Activation("sigmoid")(share)])
    return norm(name=f"{name}_project_bn")(_conv(channels, 1, f"{name}_project_conv")(x))


def _conv(filters, size, name, strides=1, use_bias=False):
    return layers.Conv2D(
        filters,
        size,
        strides,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=_initializer(),
        name=name,
    )


def _swish(x):
    return layers.Activation("swish")(x)


def _initializer():
    return keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")


def _rounded(channels):
    """The nearest multiple of 8, or the next one if that is less by more than a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest

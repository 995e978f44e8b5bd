"""A small network, for experiments on a CPU."""

import keras
from keras import layers

from architectures.layers import classifier, conv, norm_relu


def small(input_shape, classes, width=32):
    """Six convolutions with batch norm.

    Args:
        input_shape: Tuple `(height, width, channels)`, of 8 to 32 pixels.
        classes: Integer, the number of logits.
        width: Integer, the channels of the first stage. Defaults to `32`.

    Returns:
        A `keras.Model`.
    """
    inputs = keras.Input(input_shape)
    x = inputs
    for stage in range(3):
        strides = 1 if stage == 0 and input_shape[0] < 16 else 2
        channels = width * 2**stage
        x = norm_relu(conv(channels, 3, strides)(x))
        x = norm_relu(conv(channels, 3)(x))
    outputs = classifier(classes)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs, name=f"small_{width}")

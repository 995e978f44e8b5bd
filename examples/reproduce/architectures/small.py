"""A small network, for experiments on a CPU."""

import keras
from keras import layers

from architectures.layers import classifier, conv, norm_relu

# Of each convolution: channels, as a multiple of the width, and strides.
CONVOLUTIONS = [(1, 2), (2, 2), (4, 1), (6, 2), (8, 1)]


def small(input_shape, classes, width=16):
    """Five convolutions with batch norm: about 190,000 weights by default.

    The image gets small early, so that an image of 28 pixels takes 3.8 million
    multiplications. Images of less than 16 pixels keep their size in the first convolution.

    Args:
        input_shape: Tuple `(height, width, channels)`.
        classes: Integer, the number of logits.
        width: Integer, the channels of the first convolution. Defaults to `16`.

    Returns:
        A `keras.Model`.
    """
    inputs = x = keras.Input(input_shape)
    for number, (multiple, strides) in enumerate(CONVOLUTIONS):
        if number == 0 and min(input_shape[:2]) < 16:
            strides = 1
        x = norm_relu(conv(multiple * width, 3, strides)(x))
    outputs = classifier(classes)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs, name=f"small_{width}")

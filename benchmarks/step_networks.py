"""The networks whose steps are timed: functions of `keras` or of `tf_keras`."""

import itertools


def cnn(keras):
    blocks = (32, 1), (32, 1), (64, 2), (64, 1), (128, 2)
    return convolutions(keras, (32, 32, 3), blocks)


def digits(keras):
    """For images of 8 x 8: 95 thousand weights."""
    return convolutions(keras, (8, 8, 1), ((32, 1), (64, 2), (128, 1)))


def fashion(keras):
    """That of `fashion_mnist_small` in examples/reproduce/: 190 thousand weights."""
    blocks = (16, 2), (32, 2), (64, 1), (96, 2), (128, 1)
    return convolutions(keras, (28, 28, 1), blocks)


def convolutions(keras, shape, blocks):
    layers = keras.layers
    inputs = keras.Input(shape)
    x = inputs
    for filters, strides in blocks:
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    return inputs, layers.Dense(10, name="head")(layers.GlobalAveragePooling2D()(x))


def mlp(keras):
    inputs = keras.Input((784,))
    x = inputs
    for _ in range(3):
        x = keras.layers.Dense(2048, activation="relu")(x)
    return inputs, keras.layers.Dense(10, name="head")(x)


def resnet(keras):
    """ResNet-18 for images of 32 x 32: 11 million weights."""
    layers = keras.layers

    def convolution(x, filters, strides=1, size=3):
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(convolution(inputs, 64))
    blocks = itertools.product((64, 128, 256, 512), (2, 1))
    for filters, strides in blocks:
        strides = 1 if filters == 64 else strides
        y = layers.ReLU()(convolution(x, filters, strides))
        y = convolution(y, filters)
        if strides == 2:
            x = convolution(x, filters, strides, size=1)
        x = layers.ReLU()(layers.Add()([x, y]))
    return inputs, layers.Dense(10, name="head")(layers.GlobalAveragePooling2D()(x))


def transformer(keras, width=256):
    """Four blocks on 64 places: 3 million weights."""
    layers = keras.layers
    inputs = keras.Input((64, 32))
    x = layers.Dense(width)(inputs)
    for _ in range(4):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, width // 4)(y, y)])
        y = layers.Dense(4 * width, "gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(y)])
    return inputs, layers.Dense(10, name="head")(layers.GlobalAveragePooling1D()(x))


NETWORKS = {
    "digits": digits,
    "fashion": fashion,
    "cnn": cnn,
    "mlp": mlp,
    "resnet": resnet,
    "transformer": transformer,
}

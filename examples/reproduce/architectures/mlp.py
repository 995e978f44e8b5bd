"""A network of dense layers alone, which Keras can quantize."""

import keras
from keras import layers

from architectures.layers import classifier, relu


def mlp(input_shape, classes, units=(256, 128)):
    """Dense layers with ReLU: about 235,000 weights on Fashion-MNIST.

    Args:
        input_shape: Tuple `(height, width, channels)`.
        classes: Integer, the number of logits.
        units: Tuple of integers, the units of each layer. Defaults to `(256, 128)`.

    Returns:
        A `keras.Model`.
    """
    inputs = keras.Input(input_shape)
    x = layers.Flatten()(inputs)
    for count in units:
        x = relu(layers.Dense(count, kernel_initializer="he_normal")(x))
    return keras.Model(inputs, classifier(classes)(x), name="mlp")

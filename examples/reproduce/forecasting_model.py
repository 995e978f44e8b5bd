"""SAMformer's network: attention between channels, and a linear map over time."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("forecasting")
class ChannelAttention(keras.layers.Layer):
    """Attention of one head, in which each channel attends to all channels.

        softmax(q k^T / sqrt(width)) v p

    A token is a channel, and the features of a token are its past. q, k and v are affine
    maps of it to `width` features, and p is an affine map back.

    Args:
        width: Number of features of queries, keys and values. Defaults to `16`.
        frozen: Whether queries and keys keep their initial weights, as in the paper's
            "Random Transformer". Defaults to `False`.

    Reference:
        - [Ilbert et al., 2024](https://arxiv.org/abs/2402.10198)
    """

    def __init__(self, width=16, frozen=False, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.frozen = frozen
        self.query = keras.layers.Dense(width, trainable=not frozen, name="query")
        self.key = keras.layers.Dense(width, trainable=not frozen, name="key")
        self.value = keras.layers.Dense(width, name="value")

    def build(self, input_shape):
        self.projection = keras.layers.Dense(input_shape[-1], name="projection")
        for layer in (self.query, self.key, self.value):
            layer.build(input_shape)
        self.projection.build((*input_shape[:-1], self.width))

    def call(self, x):
        scores = ops.matmul(self.query(x), ops.swapaxes(self.key(x), -1, -2))
        attention = ops.softmax(scores / math.sqrt(self.width), axis=-1)
        return self.projection(ops.matmul(attention, self.value(x)))

    def get_config(self):
        return {**super().get_config(), "width": self.width, "frozen": self.frozen}


def build_network(channels, steps, horizon, frozen=False, normalized=False):
    """Inputs and outputs of the network, for `keras.Model` and `keras_sam.SAMModel`.

    Args:
        channels, steps: Shape of a window's past.
        horizon: Length of the forecast.
        frozen: As in `ChannelAttention`.
        normalized: Whether each channel of a window is standardized by its past, and the
            forecast is scaled back: RevIN without its two weights a channel.
    """
    inputs = x = keras.Input((channels, steps))
    if normalized:
        mean = ops.mean(inputs, axis=-1, keepdims=True)
        scale = ops.sqrt(ops.var(inputs, axis=-1, keepdims=True) + 1e-5)
        x = (inputs - mean) / scale
    x = keras.layers.add([x, ChannelAttention(frozen=frozen)(x)])
    x = keras.layers.Dense(horizon)(x)
    return inputs, x * scale + mean if normalized else x

"""Random gates, whose gradient in training is that of another draw than their output.

In the pass whose gradient gives the perturbation, the paper's code takes the true gradient:
there the gate of the gradient is that of the output.
"""

import keras
from keras import ops

import keras_sam


def gated(x, forward, backward):
    """`x * forward`, with the gradient of `x * backward`."""
    y = x * backward
    return ops.stop_gradient(x * forward) + (y - ops.stop_gradient(y))


class _Gate(keras.layers.Layer):
    """A layer that draws numbers for each example.

    Each call draws as often as any other, so that both passes of a sharpness-aware step
    have the same gates.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def draw(self, x, low=0.0):
        """One number from `low` to 1 for each example, to multiply images with."""
        shape = (ops.shape(x)[0], 1, 1, 1)
        dtype = self.variable_dtype  # A number in half precision is too often exactly 0.
        return keras.random.uniform(shape, low, 1.0, dtype, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("reproduce")
class ShakeShake(_Gate):
    """Mixes two branches, each example in a random proportion.

        g * a + (1 - g) * b        in training, g from U(0, 1)
        (a + b) / 2                otherwise

    In training the gradient has a proportion of its own, also from U(0, 1). In an ascent
    pass it has g.

    Args:
        seed: Integer or `None`. Defaults to `None`, for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Reference:
        - [Gastaldi, 2017](https://arxiv.org/abs/1705.07485)
    """

    def call(self, inputs, training=False):
        a, b = inputs
        if not training:
            return 0.5 * (a + b)
        forward, backward = self.draw(a), self.draw(a)
        if keras_sam.in_ascent_pass():
            backward = forward
        others = [ops.cast(1 - gate, a.dtype) for gate in (forward, backward)]
        gates = [ops.cast(gate, a.dtype) for gate in (forward, backward)]
        return gated(a, *gates) + gated(b, *others)

    def compute_output_shape(self, input_shapes):
        return input_shapes[0]


@keras.saving.register_keras_serializable("reproduce")
class ShakeDrop(_Gate):
    """Multiplies a random part of the examples by random numbers.

        y * (b + alpha - b * alpha)        in training
        y * keep                           otherwise

    b is 1 with the probability `keep`, else 0, and alpha is from U(-1, 1): an example is
    kept as it is, or multiplied by alpha. In training the gradient has in the place of
    alpha a number from U(0, 1). In an ascent pass it has alpha.

    Args:
        keep: Float from 0 to 1.
        seed: Integer or `None`. Defaults to `None`, for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if `keep` is not from 0 to 1.

    Reference:
        - [Yamada et al., 2018](https://arxiv.org/abs/1802.02375)
    """

    def __init__(self, keep, seed=None, **kwargs):
        if not 0 <= keep <= 1:
            raise ValueError(f"`keep` must be from 0 to 1. Received: keep={keep}")
        super().__init__(seed, **kwargs)
        self.keep = keep

    def call(self, y, training=False):
        if not training:
            return y * self.keep
        kept = self.draw(y) < self.keep
        forward, backward = self.draw(y, low=-1.0), self.draw(y)
        if keras_sam.in_ascent_pass():
            backward = forward
        gates = [ops.where(kept, 1.0, gate) for gate in (forward, backward)]
        return gated(y, *(ops.cast(gate, y.dtype) for gate in gates))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "keep": self.keep}

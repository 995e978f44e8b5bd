"""Cheaper ascent passes, as an experiment: of its gradient only the direction is used."""

from keras import ops

import keras_sam
from keras_sam import in_ascent_pass


class HalfResolution(keras_sam.SAMModel):
    """Climbs by images of half the size: a quarter of a pass for convolutions."""

    def call(self, inputs, training=None, mask=None):
        if in_ascent_pass():
            inputs = ops.average_pool(inputs, 2, padding="same")
        return super().call(inputs, training, mask)


class Bfloat16(keras_sam.SAMModel):
    """Climbs by a gradient whose layers compute in bfloat16."""

    def call(self, inputs, training=None, mask=None):
        if not in_ascent_pass():
            return super().call(inputs, training, mask)
        layers = self._flatten_layers(include_self=False)
        policies = [(layer, layer.dtype_policy) for layer in layers]
        for layer, _ in policies:
            layer.dtype_policy = "mixed_bfloat16"
        try:
            return ops.cast(super().call(inputs, training, mask), "float32")
        finally:
            for layer, policy in policies:
                layer.dtype_policy = policy

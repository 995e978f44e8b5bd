"""Batch norm whose statistics stay, for fine-tuning."""

import keras


@keras.saving.register_keras_serializable("reproduce")
class FrozenStatistics(keras.layers.BatchNormalization):
    """Batch norm that always normalizes with its moving statistics, and never moves them.

    Gamma and beta are trained. (`trainable = False` would keep them too.)
    """

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)

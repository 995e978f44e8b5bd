"""A network and its training on TensorFlow's replicas."""

import contextlib

import keras
from keras import layers

import keras_sam
from tests.models import classify, random_images

BATCH = 16
DATA = random_images(8 * BATCH)


def mirrored(replicas):
    import tensorflow as tf

    # The default reduction has one number of replicas in a process, and for all of it.
    return tf.distribute.MirroredStrategy(
        [f"CPU:{i}" for i in range(replicas)],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


def network(batch_norm=True, synchronized=False):
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    if batch_norm:
        x = layers.BatchNormalization(synchronized=synchronized)(x)
    x = layers.Flatten()(layers.ReLU()(x))
    return inputs, layers.Dense(3)(x)


def fit(batches, strategy, m, epochs=1, make=network, **kwargs):
    """The trained model and its logs, from the same weights on the same batches."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        model = classify(keras_sam.SAMModel(*make(), rho=0.5, m=m), **kwargs)
    history = model.fit(
        *batches, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0
    ).history
    return model, history


def trainable(model):
    return [keras.ops.convert_to_numpy(v) for v in model.trainable_weights]

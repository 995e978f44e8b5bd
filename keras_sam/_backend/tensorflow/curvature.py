"""Gradients of a function of tensors, and products with its Hessian, on TensorFlow."""

import tensorflow as tf

ZERO = tf.UnconnectedGradients.ZERO


def compiled(fn):
    return tf.function(fn, autograph=False)


def gradient_of(fn, weights):
    if tf.distribute.in_cross_replica_context():
        raise ValueError(
            "In a strategy's scope TensorFlow records no gradients. Call this outside of "
            f"`strategy.scope()`. Received: {tf.distribute.get_strategy()}"
        )
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = fn(weights)
    gradients = tape.gradient(value, weights, unconnected_gradients=ZERO)
    return value, [tf.convert_to_tensor(g) for g in gradients]


def product_of(fn, weights, vectors, how):
    if how == "forward over reverse":
        with tf.autodiff.ForwardAccumulator(weights, vectors) as accumulator:
            gradients = gradient_of(fn, weights)[1]
        return accumulator.jvp(gradients, unconnected_gradients=ZERO)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        gradients = gradient_of(fn, weights)[1]
    products = tape.gradient(
        gradients, weights, output_gradients=vectors, unconnected_gradients=ZERO
    )
    return [tf.convert_to_tensor(p) for p in products]


def out_of_memory(error):
    return isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError))

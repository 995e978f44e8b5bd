"""One of several functions, by a number that only a step of `tf.data` knows."""

import tensorflow as tf


class Switch:
    """Calls `functions[which](*tensors)`.

    As `tf.switch_case` does, but only the function that runs takes time. In `tf.data`,
    `tf.switch_case` becomes a graph with all functions in it, and AutoAugment of a CIFAR
    image takes twice as long.

    Args:
        functions: List of functions without state. Each takes the same tensors, and returns
            one of the first tensor's shape and type.
    """

    def __init__(self, functions):
        self.functions = [tf.function(f, autograph=False) for f in functions]

    def __call__(self, which, *tensors):
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
        first = specs[0]
        (result,) = tf.raw_ops.StatelessCase(
            branch_index=which,
            input=tensors,
            branches=[f.get_concrete_function(*specs) for f in self.functions],
            Tout=[first.dtype],
            output_shapes=[first.shape],
        )
        return tf.ensure_shape(result, first.shape)

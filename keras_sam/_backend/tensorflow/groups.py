"""The loop over the groups of a batch, on TensorFlow."""

import math

import keras
import tensorflow as tf

from keras_sam._backend import keras_trainer


def fold(take_group, start, data, m, memory, memories=1):
    """Runs one group outside of the loop, to see what the loop has to carry.

    Where m does not divide the batch it is the last group, so that all shapes in the loop
    are static, with and without XLA. Where it does, it is the first one, and the groups
    are summed in the order in which TensorFlow sums replicas.
    """
    data = keras.tree.map_structure(_tensor, data)
    n = _batch_size(data)
    count, size, even = _division(n, m)
    indices = count * m * (1 - even) + tf.range(size)
    terms, carried, outputs, after = take_group(_rows(data, indices), None, memory)
    full = m if isinstance(n, int) else tf.minimum(m, n)
    sums = tf.nest.map_structure(lambda t: _times(_term(t), size, full), (terms, after))
    joined = [_put(_empty(y, n), indices, y) for y in keras.tree.flatten(outputs)]

    def body(i, sums, carried, joined):
        indices = m * even + m * i + tf.range(m)
        terms, carried, outputs, after = take_group(_rows(data, indices), carried, memory)
        sums = tf.nest.map_structure(lambda s, t: s + _term(t), sums, (terms, after))
        outputs = keras.tree.flatten(outputs)
        joined = [_put(j, indices, y) for j, y in zip(joined, outputs)]
        return i + 1, sums, carried, joined

    # One group after the other, or the activations of several are alive at a time.
    with tf.control_dependencies(tf.nest.flatten((sums, carried, joined))):
        _, sums, carried, joined = tf.while_loop(
            lambda i, *_: i < count, body, (0, sums, carried, joined), parallel_iterations=1
        )
    terms, memory = tf.nest.map_structure(lambda total: _times(total, full, n), sums)
    return terms, carried, keras.tree.pack_sequence_as(outputs, joined), memory


def head(data, fraction):
    data = keras.tree.map_structure(_tensor, data)
    n = _batch_size(data)
    if isinstance(n, int):
        size = math.ceil(n * fraction)
    else:
        size = tf.cast(tf.math.ceil(tf.cast(n, "float32") * fraction), "int32")
    return _rows(data, tf.range(size))


def _tensor(array):
    return array if array is None or tf.is_tensor(array) else tf.convert_to_tensor(array)


def _batch_size(data):
    n = keras_trainer.static_batch_size(data)
    return keras_trainer.batch_size(data) if n is None else n


def _division(n, m):
    """How many groups are in the loop, the size of the other, and whether m divides n."""
    if isinstance(n, int):
        count = (n - 1) // m
        return count, n - count * m, int(n % m == 0)
    count = tf.maximum(n - 1, 0) // m  # A replica may have got no example at all.
    return count, n - count * m, tf.cast(tf.equal(n % m, 0), tf.int32)


def _rows(data, indices):
    """The rows, of a static number where the indices have one."""

    def gather(tensor):
        if isinstance(tensor, tf.SparseTensor):
            start, size = indices[:1], tf.shape(indices)
            rest = tensor.dense_shape[1:]
            start = tf.concat([tf.cast(start, tf.int64), tf.zeros_like(rest)], 0)
            size = tf.concat([tf.cast(size, tf.int64), rest], 0)
            return tf.sparse.slice(tensor, start, size)
        return tf.gather(tensor, indices)

    return keras.tree.map_structure(lambda t: None if t is None else gather(t), data)


def _term(tensor):
    """With an operation around it, which keeps TensorFlow's graph optimizer out.

    It would merge the sum of the groups with sums within a group, and round otherwise.
    """
    return tf.raw_ops.Snapshot(input=tensor)


def _times(tensor, size, whole):
    """The tensor times size / whole, a quotient in float32 or better."""
    dtype = tf.as_dtype(keras.backend.result_type(tensor.dtype, "float32"))
    quotient = tf.cast(size, dtype) / tf.cast(whole, dtype)
    return tensor * tf.cast(quotient, tensor.dtype)


def _empty(like, n):
    return tf.zeros(tf.concat([[n], tf.shape(like)[1:]], 0), like.dtype)


def _put(joined, indices, rows):
    return tf.tensor_scatter_nd_update(joined, indices[:, tf.newaxis], rows)


def check_rows(data, m):
    """In a training loop of the user's own nothing else says how large its batches are."""
    tf.debugging.assert_greater_equal(
        keras_trainer.batch_size(data),
        m,
        "`m` is larger than a replica's batch, whose size was unknown when the step was "
        "compiled: it may be a short batch, or m may span several replicas. Give the "
        "batches a static size with `batch(..., drop_remainder=True)`, or use `fit`.",
    )

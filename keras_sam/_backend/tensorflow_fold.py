"""The loop over the groups of a batch, on TensorFlow."""

import keras
import tensorflow as tf


def fold(fn, data, m):
    """Runs one group outside of the loop, to see what the loop has to carry.

    Where m does not divide the batch it is the last group, so that all shapes in the loop
    are static, with and without XLA. Where it does, it is the first one, and the groups
    are summed in the order in which TensorFlow sums replicas.
    """
    n = _batch_size(data)
    if isinstance(n, int) and n <= m:
        return fn(data, n, None)
    count, size, even = _division(n, m)
    indices = count * m * (1 - even) + tf.range(size)
    sums, state, outputs = fn(_rows(data, indices), size, None)
    joined = [_put(_empty(y, n), indices, y) for y in keras.tree.flatten(outputs)]

    def body(i, sums, state, joined):
        indices = m * even + m * i + tf.range(m)
        terms, state, outputs = fn(_rows(data, indices), m, state)
        # Without an operation between them, TensorFlow's graph optimizer merges this sum
        # with a sum that the term itself is, and the result depends on the model.
        sums = [a + tf.raw_ops.Snapshot(input=b) for a, b in zip(sums, terms)]
        outputs = keras.tree.flatten(outputs)
        joined = [_put(j, indices, y) for j, y in zip(joined, outputs)]
        return i + 1, sums, state, joined

    # One group after the other, or the activations of several are alive at a time.
    with tf.control_dependencies([*sums, *state, *joined]):
        _, sums, state, joined = tf.while_loop(
            lambda i, *_: i < count, body, (0, sums, state, joined), parallel_iterations=1
        )
    return sums, state, keras.tree.pack_sequence_as(outputs, joined)


def _batch_size(data):
    tensors = [t for t in keras.tree.flatten(data) if t is not None]
    shapes = [t.shape for t in tensors]
    if not all(s.rank and s[:1].is_compatible_with(shapes[0][:1]) for s in shapes):
        raise ValueError(
            "With `m`, each tensor of a batch has to have a row for each example. "
            f"Received: shapes={shapes}"
        )
    n = shapes[0][0]
    return tf.shape(tensors[0])[0] if n is None else n


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


def _empty(like, n):
    if like.shape.rank == 0:
        raise ValueError(
            "With `m`, each output of the model has to have a row for each example. "
            f"Received: an output of shape {like.shape}"
        )
    return tf.zeros(tf.concat([[n], tf.shape(like)[1:]], 0), like.dtype)


def _put(joined, indices, rows):
    return tf.tensor_scatter_nd_update(joined, indices[:, tf.newaxis], rows)

"""Lists of tensors as one vector, as SciPy wants it."""

import numpy as np
from keras import ops


def flat(tensors):
    """A vector in float64."""
    return np.concatenate(
        [np.ravel(ops.convert_to_numpy(t)).astype("float64") for t in tensors]
    )


def unflat(vector, like):
    """A list of tensors, shapes and dtypes as `like`."""
    sizes = [int(np.prod(t.shape)) for t in like]
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    return [
        ops.cast(ops.convert_to_tensor(part.reshape(tuple(t.shape))), t.dtype)
        for part, t in zip(parts, like)
    ]

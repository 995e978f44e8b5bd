"""NumPy's arrays, as `fit` gives them to a model."""

import keras
import numpy as np
from keras import ops


def as_fit_gives_it(value):
    """An array as a tensor, with Keras's `floatx` if it is floating."""
    if not isinstance(value, np.ndarray):
        return value
    floating = np.issubdtype(value.dtype, np.floating)
    return ops.convert_to_tensor(value, keras.config.floatx() if floating else None)

"""PyTorch, where Keras trains on one device."""

from keras_sam._backend.torch.draws import Randomness
from keras_sam._backend.torch.fit import Fit
from keras_sam._backend.torch.passes import (
    apply,
    check_reach,
    copied,
    differentiate,
    read,
    records,
)
from keras_sam._backend.torch.tensors import mended, scaled, sum_of_squares

__all__ = [
    "Fit",
    "Randomness",
    "apply",
    "check_reach",
    "copied",
    "differentiate",
    "mended",
    "read",
    "records",
    "scaled",
    "sum_of_squares",
]

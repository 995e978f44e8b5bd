"""PyTorch, where Keras trains on one device."""

from keras_sam._backend.torch.curvature import (
    PRODUCTS,
    gradient_of,
    out_of_memory,
    product_of,
    reading,
)
from keras_sam._backend.torch.draws import Randomness
from keras_sam._backend.torch.fit import Fit
from keras_sam._backend.torch.generators import (
    generator_states,
    seeding,
    set_generator_states,
)
from keras_sam._backend.torch.passes import (
    apply,
    check_reach,
    copied,
    differentiate,
    pullback,
    read,
    records,
)
from keras_sam._backend.torch.processes import average, replicas
from keras_sam._backend.torch.tensors import mended, scaled, sum_of_squares

__all__ = [
    "PRODUCTS",
    "Fit",
    "Randomness",
    "apply",
    "average",
    "check_reach",
    "copied",
    "differentiate",
    "generator_states",
    "gradient_of",
    "mended",
    "out_of_memory",
    "product_of",
    "pullback",
    "read",
    "reading",
    "records",
    "replicas",
    "scaled",
    "seeding",
    "set_generator_states",
    "sum_of_squares",
]

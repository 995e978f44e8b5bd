"""TensorFlow, where each replica of a strategy has a call of the step of its own."""

from keras_sam._backend.tensorflow.created import after_creating, outside
from keras_sam._backend.tensorflow.curvature import (
    compiled,
    gradient_of,
    out_of_memory,
    product_of,
)
from keras_sam._backend.tensorflow.fit import Fit
from keras_sam._backend.tensorflow.generators import seeding
from keras_sam._backend.tensorflow.groups import check_rows, fold, head
from keras_sam._backend.tensorflow.memory import (
    assign_to_replicas,
    of_replicas,
    remembered,
)
from keras_sam._backend.tensorflow.passes import (
    apply,
    check_reach,
    differentiate,
    pullback,
    read,
    records,
)
from keras_sam._backend.tensorflow.replicas import (
    average,
    model_scope,
    replica_index,
    replicas,
)
from keras_sam._backend.tensorflow.tensors import dense, mended, scaled, sum_of_squares

__all__ = [
    "Fit",
    "after_creating",
    "apply",
    "assign_to_replicas",
    "average",
    "check_reach",
    "check_rows",
    "compiled",
    "dense",
    "differentiate",
    "fold",
    "gradient_of",
    "head",
    "mended",
    "model_scope",
    "of_replicas",
    "out_of_memory",
    "outside",
    "product_of",
    "pullback",
    "read",
    "records",
    "remembered",
    "replica_index",
    "replicas",
    "scaled",
    "seeding",
    "sum_of_squares",
]

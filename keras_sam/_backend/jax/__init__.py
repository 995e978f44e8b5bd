"""JAX, where one call of the step is that of all replicas.

They share its seeds, too, so that `replica_index` is that of a single device; and those
that share a perturbation share the call, so that nothing is left to `average`.
"""

from keras_sam._backend.jax.curvature import (
    compiled,
    gradient_of,
    out_of_memory,
    product_of,
)
from keras_sam._backend.jax.fit import Fit
from keras_sam._backend.jax.groups import head
from keras_sam._backend.jax.memory import assign_to_replicas, of_replicas, remembered
from keras_sam._backend.jax.passes import (
    apply,
    differentiate,
    in_scope,
    model_scope,
    pullback,
    records,
    train_step,
)
from keras_sam._backend.jax.replicas import fold, shards
from keras_sam._backend.jax.tensors import cond

replicas = shards

__all__ = [
    "Fit",
    "apply",
    "assign_to_replicas",
    "compiled",
    "cond",
    "differentiate",
    "fold",
    "gradient_of",
    "head",
    "in_scope",
    "model_scope",
    "of_replicas",
    "out_of_memory",
    "product_of",
    "pullback",
    "records",
    "remembered",
    "replicas",
    "shards",
    "train_step",
]

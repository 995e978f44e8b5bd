"""Variables of which each replica of a `keras.distribution` has its own, on JAX.

They have an axis of replicas before the others, split along the batch axis of the mesh.
"""

import keras
import numpy as np
from jax import numpy as jnp
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec


def remembered(tensor, count):
    distribution = keras.distribution.distribution()
    several = count > 1 and jnp.issubdtype(tensor.dtype, jnp.floating)
    layout = None
    if distribution is not None:
        mesh, axis = distribution.device_mesh.backend_mesh, distribution.batch_dim_name
        spec = getattr(tensor.sharding, "spec", PartitionSpec())
        if several:
            tensor = jnp.broadcast_to(tensor, (count, *tensor.shape))
            split = axis if count == mesh.shape[axis] else None
            # A weight may be split along that axis too, which can be given once.
            spec = PartitionSpec(split, *(None if split in _names(s) else s for s in spec))
        layout = NamedSharding(mesh, spec)
    variable = keras.Variable(
        tensor, dtype=tensor.dtype, trainable=False, autocast=False, layout=layout
    )
    variable.several = several
    return variable


def of_replicas(variable):
    value = variable.value
    if not value.is_fully_addressable:
        value = multihost_utils.process_allgather(value, tiled=True)
    value = np.asarray(value)
    return value if variable.several else value[np.newaxis]


def assign_to_replicas(variable, values):
    variable.assign(values if variable.several else values[0])


def regrouped(value, count):
    """The first axis brought to another length: of means, or of copies."""
    if len(value) < count:
        return jnp.repeat(value, count // len(value), axis=0)
    return value.reshape(count, -1, *value.shape[1:]).mean(axis=1)


def _names(axes):
    return axes if isinstance(axes, tuple) else (axes,)

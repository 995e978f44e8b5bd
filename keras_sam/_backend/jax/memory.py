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
    layout = None
    if distribution is not None:
        mesh, axis = distribution.device_mesh.backend_mesh, distribution.batch_dim_name
        spec = getattr(tensor.sharding, "spec", PartitionSpec())
        if _has_axis(tensor, count):
            tensor = jnp.broadcast_to(tensor, (count, *tensor.shape))
            split = axis if count == mesh.shape[axis] else None
            # A weight may be split along that axis too, which can be given once.
            spec = PartitionSpec(split, *(None if split in _names(s) else s for s in spec))
        layout = NamedSharding(mesh, spec)
    return keras.Variable(
        tensor, dtype=tensor.dtype, trainable=False, autocast=False, layout=layout
    )


def of_replicas(variable, count):
    value = variable.value
    if not value.is_fully_addressable:
        value = multihost_utils.process_allgather(value, tiled=True)
    value = np.asarray(value)
    return value if _has_axis(variable, count) else value[np.newaxis]


def assign_to_replicas(variable, values, count):
    variable.assign(values if _has_axis(variable, count) else values[0])


def regrouped(value, count):
    """The first axis brought to another length: of means, or of copies."""
    if len(value) < count:
        return jnp.repeat(value, count // len(value), axis=0)
    return value.reshape(count, -1, *value.shape[1:]).mean(axis=1)


def _has_axis(tensor, count):
    return count > 1 and keras.backend.is_float_dtype(str(tensor.dtype))


def _names(axes):
    return axes if isinstance(axes, tuple) else (axes,)

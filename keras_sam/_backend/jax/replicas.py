"""The replicas of a `keras.distribution`, of which one step of JAX is the whole.

A batch is rows for `shards()` replicas. `fold` takes its groups as three nested loops:

    fold            as many groups side by side as there are replicas: `_side_by_side`
      shard_map     one replica's rows, on its devices: `_replica`
        scan        its groups one after the other: `jax.groups.scan`

Each of the groups has to give what it would give on one device, where all run one after the
other. So a replica begins with the counts (seeds) that the groups before its first would
leave, and in the end what is floating is averaged, and what counts or adds up is summed up.
"""

import contextlib

import jax
import keras
from jax import lax
from jax import numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from keras.src.backend.common.stateless_scope import get_stateless_scope

from keras_sam._backend import groups
from keras_sam._backend.groups import rows_of
from keras_sam._backend.jax.groups import rows, scan
from keras_sam._backend.jax.memory import regrouped


def shards(model=None):
    """The number of shards along the batch axis of the current distribution."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 1
    mesh = distribution.device_mesh
    return mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]


def fold(take_group, start, data, m, memory, memories=1):
    """The groups of one replica in turn, those of different replicas side by side."""
    parallel = min(shards(), rows_of(data) // m)
    if parallel > 1:
        return _side_by_side(take_group, start, data, m, memory, memories, parallel)
    traced = any(isinstance(t, jax.core.Tracer) for t in keras.tree.flatten(data))
    return (scan if traced else groups.fold)(take_group, start, data, m, memory)


def _side_by_side(take_group, start, data, m, memory, memories, parallel):
    """`shard_map` over the batch axis; XLA partitions the others.

    With m above a replica's batch, the replicas of a group are one such other axis.
    """
    mesh, axis = _mesh(parallel)
    # Values closed over would live on another mesh, so all are passed; but a memory once,
    # split along the batch axis.
    mapping = get_stateless_scope().state_mapping
    values = {k: v for k, v in mapping.items() if not any(v is t for t in memory)}
    per_replica = [t if memories > 1 else t[jnp.newaxis] for t in memory]
    per_replica = [regrouped(t, parallel) for t in per_replica]

    def replica(values, per_replica, data):
        memory = [t[0] for t in per_replica]
        with keras.StatelessScope() as scope, _without(mesh, axis):
            scope.state_mapping = values
            *rest, memory = _replica(take_group, start, data, m, memory, axis, parallel)
        return *rest, [t[jnp.newaxis] for t in memory]

    common, split = PartitionSpec(), PartitionSpec(axis)
    run = jax.shard_map(
        replica,
        mesh=mesh,
        in_specs=(common, split, split),
        out_specs=(common, common, split, split),
        axis_names={axis},
        check_vma=False,
    )
    *rest, per_replica = jax.jit(run)(values, per_replica, data)
    per_replica = [regrouped(t, memories) for t in per_replica]
    return *rest, [t if memories > 1 else t[0] for t in per_replica]


def _replica(take_group, start, data, m, memory, axis, parallel):
    """One replica's groups, begun in the state that they would have if all groups ran one
    after the other.

    So replica r draws the masks that its groups would draw on one device. State that
    counts, as seeds do, moves alike in each group; what is floating adds up (metrics do).
    """
    terms, after, outputs, last = take_group(rows(data, 0, m), None, memory)
    before = start()
    groups = -(-rows_of(data) // m)
    skipped = groups * lax.axis_index(axis)

    def begin(before, after):
        if not _counts(before):
            return before
        return before + skipped.astype(before.dtype) * (after - before)

    begun = jax.tree.map(begin, before, after)
    if groups > 1 or any(map(_counts, jax.tree.leaves(before))):
        # Of the call above only the counts are used: the compiler drops the rest.
        terms, after, outputs, last = scan(take_group, start, data, m, memory, begun)
    moved = jax.tree.map(
        lambda s, a: a - s if _counts(a) or _adds_up(a) else a, begun, after
    )
    added = [t for t in jax.tree.leaves(moved) if _adds_up(t)]
    terms, added = lax.pmean((terms, added), axis)
    added = iter(added)

    def end(before, moved, after):
        if _adds_up(after):
            return before + parallel * next(added)
        return before + parallel * moved if _counts(after) else after

    return terms, jax.tree.map(end, before, moved, after), outputs, last


def _counts(tensor):
    return jnp.issubdtype(tensor.dtype, jnp.integer)


def _adds_up(tensor):
    return jnp.issubdtype(tensor.dtype, jnp.floating)


def _mesh(parallel):
    """The distribution's mesh, its batch axis split into groups of replicas if need be."""
    distribution = keras.distribution.distribution()
    mesh, axis = distribution.device_mesh.backend_mesh, distribution.batch_dim_name
    if mesh.shape[axis] == parallel:
        return mesh, axis
    _check_that_xla_splits(mesh.shape[axis], parallel)
    at = mesh.axis_names.index(axis)
    shape, names = list(mesh.devices.shape), list(mesh.axis_names)
    shape[at : at + 1] = parallel, shape[at] // parallel
    names[at : at + 1] = f"{axis}_groups", axis
    return Mesh(mesh.devices.reshape(shape), names), names[at]


def _check_that_xla_splits(replicas, groups):
    """Before JAX 0.10, Shardy ends the process at a map over some of an axis."""
    if jax.__version_info__ >= (0, 10) or not jax.config.jax_use_shardy_partitioner:
        return
    raise ValueError(
        "`m` above the batch of one device needs JAX 0.10 or XLA's former partitioner. "
        'Call `jax.config.update("jax_use_shardy_partitioner", False)` before training, '
        'install a newer JAX, or use a smaller `m` or `m="global"`. '
        f"Received: {replicas} devices in {groups} groups, with JAX {jax.__version__}"
    )


@contextlib.contextmanager
def _without(mesh, axis):
    """The distribution as a layer in the map may ask for it, which has one axis less."""
    outside = keras.distribution.distribution()
    keras.distribution.set_distribution(_Inside(outside, mesh, axis))
    try:
        yield
    finally:
        keras.distribution.set_distribution(outside)


class _Inside:
    def __init__(self, distribution, mesh, axis):
        self.distribution = distribution
        self.mesh = mesh
        self.axis = axis

    def get_tensor_layout(self, path):
        """On the mesh of the map, which JAX before 0.8 has to be told."""
        layout = self.distribution.get_tensor_layout(path)
        if layout is None:
            return None
        spec = PartitionSpec(*(None if a == self.axis else a for a in layout.axes))
        return spec if jax.__version_info__ >= (0, 8) else NamedSharding(self.mesh, spec)

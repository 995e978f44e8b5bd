"""The replicas of a `keras.distribution`, of which one step of JAX is the whole."""

import contextlib

import jax
import keras
from jax import lax
from jax import numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from keras.src.backend.common.stateless_scope import get_stateless_scope

from keras_sam._backend import loop
from keras_sam._backend.jax_fold import rows, rows_of, scan
from keras_sam._backend.jax_memory import regrouped


def shards(model=None):
    """The number of parts along the batch axis of the current distribution."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 1
    mesh = distribution.device_mesh
    return mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]


def fold(part, start, data, m, own=()):
    """The groups of one replica in turn, those of different replicas side by side."""
    parallel = min(shards(), rows_of(data) // m)
    if parallel > 1:
        return _side_by_side(part, start, data, m, parallel, own)
    if any(variable.several for variable in own):
        raise ValueError(
            "Each replica has a memory of its own here, and this batch is no more than one "
            "of their groups. Leave the short last batch out (`drop_remainder=True`). "
            f"Received: {rows_of(data)} examples, with m={m}"
        )
    traced = any(isinstance(t, jax.core.Tracer) for t in keras.tree.flatten(data))
    return (scan if traced else loop.fold)(part, start, data, m)


def _side_by_side(part, start, data, m, parallel, own):
    """Maps `part` over the mesh by hand along the batch, and by XLA along its other axes.

    With m above a replica's batch, the replicas of a group are one such other axis.
    """
    mesh, axis = _mesh(parallel)
    # In the map a value from outside would be on another mesh: all of them are passed.
    values = dict(get_stateless_scope().state_mapping)
    own = [variable for variable in own if variable.several]
    memories = {id(v): regrouped(values.pop(id(v), v.value), parallel) for v in own}

    def replica(values, memories, data):
        with keras.StatelessScope() as scope, _without(mesh, axis):
            scope.state_mapping = values | {k: v[0] for k, v in memories.items()}
            terms, state, outputs = _replica(part, start, data, m, axis, parallel, len(own))
        shared, mine = terms[: len(terms) - len(own)], terms[len(terms) - len(own) :]
        return shared, [t[jnp.newaxis] for t in mine], state, outputs

    spec, rows_spec = PartitionSpec(), PartitionSpec(axis)
    run = jax.shard_map(
        replica,
        mesh=mesh,
        in_specs=(spec, rows_spec, rows_spec),
        out_specs=(spec, rows_spec, spec, rows_spec),
        axis_names={axis},
        check_vma=False,
    )
    terms, mine, state, outputs = jax.jit(run)(values, memories, data)
    mine = [regrouped(value, len(v.value)) for v, value in zip(own, mine)]
    return [*terms, *mine], state, outputs


def _replica(part, start, data, m, axis, parallel, own):
    """One replica's groups, begun in the state that they would have in a row of all.

    So replica r draws the masks that its groups would draw on one device. State that
    counts, as seeds do, moves alike in each group; what is floating adds up (metrics do).
    """
    terms, after, outputs = part(rows(data, 0, m), None)
    before = start()
    groups = -(-rows_of(data) // m)
    skipped = groups * lax.axis_index(axis)
    state = [
        b + skipped.astype(b.dtype) * (a - b) if _counts(b) else b
        for b, a in zip(before, after)
    ]
    if groups > 1 or any(map(_counts, before)):
        # Of the call above only the counts are used: the compiler drops the rest.
        terms, after, outputs = scan(part, start, data, m, state)
    moved = [a - s for s, a in zip(state, after) if _adds_up(a)]
    shared = len(terms) - own
    means = iter(lax.pmean([*terms[:shared], *moved], axis))
    terms = [*(next(means) for _ in range(shared)), *terms[shared:]]
    state = [
        b + parallel * next(means)
        if _adds_up(b)
        else b + parallel * (a - s)
        if _counts(b)
        else a
        for b, s, a in zip(before, state, after)
    ]
    return terms, state, outputs


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
    """Before JAX 0.10, Shardy ends the process at a map over a part of an axis."""
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

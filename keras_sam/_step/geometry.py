"""How a batch is divided: among replicas, and into groups that share a perturbation.

m is the number of examples that share one. Within a replica's batch they are a group, and
the replica takes its groups one after the other. Above it, `neighbours` replicas share one.

    m < a replica's batch      several groups in a replica
    m = that (or `None`)       one group in a replica
    m > that (or "global")     one group in `neighbours` replicas

On TensorFlow each replica has a call of the step of its own (one shard a call): neighbours
have to average their gradients. On JAX one call has the examples of all replicas (as many
shards): what a replica or its neighbours have is a group of that call, as with a smaller m.
"""

import numbers
from typing import NamedTuple

from keras_sam.validation import LARGEST_INTEGER


class Geometry(NamedTuple):
    """How the batch of one call of the step is divided.

    Attributes:
        replicas: Integer, the number of replicas that train together.
        shards: Integer, how many of them have their examples in this call.
        neighbours: Integer, how many of them share one perturbation.
        group: Integer, the number of examples of this call that share one, or `None` where
            all do.
    """

    replicas: int
    shards: int
    neighbours: int
    group: int | None


def divide(m, batch_size, largest, replicas, shards):
    """The `Geometry` of a batch.

    Args:
        m: `None`, `"global"` or an integer.
        batch_size: Integer, the number of examples in one call, or `None` if it is unknown.
        largest: Integer, the largest number of examples that a replica has had: the last
            batch of an epoch may be shorter. 0 if none is known.
        replicas: Integer.
        shards: Integer.

    Raises:
        ValueError: if m is neither within a replica's batch nor that of a number of
            replicas that divides theirs.
    """
    sharing = neighbours(m, largest, replicas)
    if isinstance(m, int):
        group = m
    else:
        group = batch_size and (batch_size // shards * sharing or None)
    known = batch_size is not None and group is not None
    if sharing > shards or (known and batch_size <= group):
        group = None
    return Geometry(replicas, shards, sharing, group)


def neighbours(m, largest, replicas):
    """How many neighbouring replicas share one perturbation. Arguments as of `divide`."""
    if not isinstance(m, int):
        return replicas if m == "global" else 1
    if not largest or m <= largest:
        return 1
    count, rest = divmod(m, largest)
    if rest or replicas % count:
        raise ValueError(
            f"`m` must be {_allowed(largest, replicas)}. Received: m={m}, with {largest} "
            f"examples on each replica and {replicas} replica{'s' if replicas > 1 else ''}"
        )
    return count


def validated(m):
    """m as the user may set it: `None`, `"global"`, or an integer that fits into int32.

    Raises:
        ValueError: if it is none of these.
    """
    integer = isinstance(m, numbers.Integral) and not isinstance(m, bool)
    if integer and 0 < m <= LARGEST_INTEGER:
        return int(m)
    if m is None or (isinstance(m, str) and m == "global"):
        return m
    raise ValueError(
        f"`m` must be a positive integer of at most {LARGEST_INTEGER}, `None` or "
        f'"global". Received: m={m} (of type {type(m)})'
    )


def _allowed(largest, replicas):
    if replicas == 1:
        return (
            f"at most the batch size, which is {largest}: no more examples "
            "than a step has can share a perturbation. Use a larger `batch_size`, or "
            "`m=None` for the whole batch"
        )
    counts = [n for n in range(2, replicas + 1) if replicas % n == 0]
    larger = " or ".join(str(n * largest) for n in counts)
    return (
        f"at most {largest}, the batch of a replica, or {larger}, that of "
        "several replicas together"
    )

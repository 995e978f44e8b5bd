"""m: how many examples share one perturbation, below and above a replica's batch."""

import numbers

from keras_sam.validation import LARGEST_INTEGER


class GroupSize:
    """The number of examples that share one perturbation, as the user sets it.

    Within a replica's batch it makes groups of examples, and above it groups of replicas.

    Args:
        value: `None` for the replica's batch, `"global"` for that of all replicas, or an
            integer `> 0` that fits into int32.

    Raises:
        ValueError: if `value` is none of these.
    """

    def __init__(self, value):
        if value not in (None, "global") and not _is_count(value):
            raise ValueError(
                f"`m` must be a positive integer of at most {LARGEST_INTEGER}, `None` or "
                '"global". '
                f"Received: m={value} (of type {type(value)})"
            )
        self.value = int(value) if _is_count(value) else value
        self.batch_size = 0
        self.count = 1

    @property
    def examples(self):
        """The number of examples, if it is one that the user has set."""
        return self.value if isinstance(self.value, int) else None

    def see(self, batch_size, replicas):
        """Takes the batch size of the training that begins.

        Returns:
            Whether `neighbours` is now another number.
        """
        self.batch_size, before = batch_size, self.count
        return self.neighbours(batch_size, replicas) != before

    def neighbours(self, batch_size, replicas):
        """How many neighbouring replicas share one perturbation.

        Args:
            batch_size: Integer, the number of examples on each replica, or `None` if it
                is unknown. A batch that is shorter than those before counts as they do.
            replicas: Integer, the number of replicas.

        Raises:
            ValueError: if m is neither within a replica's batch nor that of a whole part
                of the replicas.
        """
        if self.examples is None:
            return replicas if self.value == "global" else 1
        self.batch_size = max(self.batch_size, batch_size or 0)
        if not self.batch_size or self.value <= self.batch_size:
            self.count = 1
            return self.count
        self.count, rest = divmod(self.value, self.batch_size)
        if rest or replicas % self.count:
            raise ValueError(
                f"`m` must be {self._allowed(replicas)}. "
                f"Received: m={self.value}, with {self.batch_size} examples on each "
                f"replica and {replicas} replica{'s' if replicas > 1 else ''}"
            )
        return self.count

    def _allowed(self, replicas):
        if replicas == 1:
            return (
                f"at most the batch size, which is {self.batch_size}: no more examples "
                "than a step has can share a perturbation. Use a larger `batch_size`, or "
                "`m=None` for the whole batch"
            )
        counts = [n for n in range(2, replicas + 1) if replicas % n == 0]
        larger = " or ".join(str(n * self.batch_size) for n in counts)
        return (
            f"at most {self.batch_size}, the batch of a replica, or {larger}, that of "
            "several replicas together"
        )


def _is_count(value):
    integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return integer and 0 < value <= LARGEST_INTEGER

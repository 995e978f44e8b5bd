"""What is remembered from one step to the next, as a value."""

from typing import NamedTuple

from keras import ops

from keras_sam._step.finite import is_floating, unless_infinite


class Memory(NamedTuple):
    """What the rules of a step remember until the next: a list of tensors each.

    Floating tensors are per replica: each replica has its own values.
    """

    ascent: list
    schedule: list
    descent: list = []  # noqa: RUF012
    method: list = []  # noqa: RUF012

    @property
    def per_replica(self):
        return [t for tensors in self for t in tensors if is_floating(t)]

    @property
    def common(self):
        return [t for tensors in self for t in tensors if not is_floating(t)]

    def for_shards(self, count):
        """With an axis of as many replicas, before the others, in what is per replica."""
        if count == 1:
            return self
        copies = [ops.repeat(t[None], count, axis=0) for t in self.per_replica]
        return self.replaced(copies, self.common)

    def replaced(self, per_replica, common):
        """The same with other values."""
        per_replica, common = iter(per_replica), iter(common)
        return Memory(
            *(
                [next(per_replica if is_floating(t) else common) for t in tensors]
                for tensors in self
            )
        )

    def after(self, **rules):
        """With what rules have given, but where that is not finite as it was.

        An optimizer with loss scaling skips the step in which a gradient overflows.
        """
        finite = {
            name: list(map(unless_infinite, tensors, getattr(self, name)))
            for name, tensors in rules.items()
        }
        return self._replace(**finite)

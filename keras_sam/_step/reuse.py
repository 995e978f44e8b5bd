"""LookSAM's reuse, with any schedule: what is left of a climb, on the steps after it.

A schedule's memory is one list: what the schedule itself remembers, and after it, where it
has a `reuse`, a vector for each weight that is trained.
"""

from keras import ops

from keras_sam import _backend
from keras_sam.descents.combinations import orthogonal
from keras_sam.norms import norm, unit
from keras_sam.schedules import Schedule


def remembered_at_first(rules):
    """What rules remember at first: a dict of lists of tensors, by their names.

    Args:
        rules: Dict by name of pairs of a rule and the variables whose gradients it sees.
    """
    return {name: _first(rule, _backend.read(vs)) for name, (rule, vs) in rules.items()}


def _first(rule, weights):
    reuses = isinstance(rule, Schedule) and rule.reuse is not None
    vectors = [ops.zeros_like(w) for w in weights] if reuses else []
    return [*rule.init(weights), *vectors]


def divided(schedule, memory, count):
    """The schedule's own memory, and the vectors, of which there are `count` or none."""
    end = len(memory) - (0 if schedule.reuse is None else count)
    return memory[:end], memory[end:]


def left_of(schedule, gradients, perturbed, vectors):
    """The vectors after a step that has climbed: v = s - <s, g> g / ||g||^2."""
    return vectors if schedule.reuse is None else orthogonal(perturbed, gradients)


def with_reuse(schedule, gradients, vectors):
    """The gradient of a step that does not: g + reuse * ||g|| / ||v|| * v."""
    if schedule.reuse is None:
        return gradients
    length = schedule.reuse * norm(gradients)
    directions = zip(gradients, unit(vectors))
    return [g + ops.cast(length * d, g.dtype) for g, d in directions]

"""The groups of a batch, one after the other, where Python itself runs the loop."""

import math

import keras


def fold(take_group, start, data, m, memory, memories=1):
    """Runs a function over groups of m successive rows, of which the last may be short.

    Compiled, the program does not grow with the number of groups.

    Args:
        take_group: Callable from `(rows, carried, memory)` to `(terms, carried, outputs,
            memory)`. All but memory are nested structures of tensors. What is carried goes
            from one group to the next; the first call gets `None` for it. Each group is
            given the memory before the step, and gives a list of tensors alike.
        start: Callable that gives what the first group starts from. It can be called once
            a group has run.
        data: Nested structure of tensors with the same number of rows, and `None`.
        m: Integer `> 0`.
        memory: List of tensors of which each replica has its own.
        memories: Integer. If it is above 1, the number of replicas' memories that an axis
            of these tensors has, before the others. `take_group` is given one replica's.

    Returns:
        The terms' means over all rows, what the last group carries on, the outputs' rows in
        order, and the mean of the memories of a replica's groups.
    """
    n = rows_of(data)
    sums, carried, outputs = None, None, []
    for first in range(0, n, m):
        terms, carried, y_pred, after = take_group(_rows(data, first, m), carried, memory)
        terms = terms, after
        if first + m > n:
            terms = _times(terms, (n - first) / m)
        if sums is not None:
            terms = keras.tree.map_structure(lambda total, t: total + t, sums, terms)
        sums = terms
        outputs.append(y_pred)
    joined = keras.tree.map_structure(lambda *ys: keras.ops.concatenate(ys), *outputs)
    terms, memory = _times(sums, m / n)
    return terms, carried, joined, memory


def head(data, fraction):
    """The first rows of the tensors in `data`: that part of all, rounded up."""
    return _rows(data, 0, math.ceil(rows_of(data) * fraction))


def rows_of(data):
    """The number of rows, which is known."""
    return next(t for t in keras.tree.flatten(data) if t is not None).shape[0]


def _times(tensors, factor):
    return keras.tree.map_structure(lambda t: t * factor, tensors)


def _rows(data, first, m):
    def rows(tensor):
        return None if tensor is None else tensor[first : first + m]

    return keras.tree.map_structure(rows, data)

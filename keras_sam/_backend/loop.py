"""The loop over the groups of a batch where Python itself runs it."""

import math

import keras


def fold(part, start, data, m, own=()):
    n = _rows_of(data)
    sums, state, outputs = None, None, []
    for first in range(0, n, m):
        terms, state, y_pred = part(_rows(data, first, m), state)
        if first + m > n:
            terms = [t * ((n - first) / m) for t in terms]
        sums = terms if sums is None else [total + t for total, t in zip(sums, terms)]
        outputs.append(y_pred)
    joined = keras.tree.map_structure(lambda *ys: keras.ops.concatenate(ys), *outputs)
    return [total * (m / n) for total in sums], state, joined


def head(data, fraction):
    return _rows(data, 0, math.ceil(_rows_of(data) * fraction))


def _rows_of(data):
    return next(t for t in keras.tree.flatten(data) if t is not None).shape[0]


def _rows(data, first, m):
    def rows(tensor):
        return None if tensor is None else tensor[first : first + m]

    return keras.tree.map_structure(rows, data)

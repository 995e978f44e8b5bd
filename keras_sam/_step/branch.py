"""A choice between two computations, of which one runs."""

import keras

from keras_sam import _backend


def branch(predicate, yes, no):
    """`yes()` or `no()`.

    Args:
        predicate: Bool, or scalar bool tensor that is known when the step runs.
        yes: Callable without arguments to a nested structure of tensors and `None`.
        no: Callable to the same structure, sparse gradients where `yes` has them.

    Returns:
        What the one of them gives that is called.
    """
    if isinstance(predicate, bool):
        return yes() if predicate else no()
    structures = []

    def tensors(function):
        structures.append(function())
        leaves = keras.tree.flatten(structures[-1])
        return [leaf for leaf in leaves if leaf is not None]

    leaves = iter(_backend.cond(predicate, lambda: tensors(yes), lambda: tensors(no)))
    return keras.tree.map_structure(
        lambda leaf: None if leaf is None else next(leaves), structures[-1]
    )

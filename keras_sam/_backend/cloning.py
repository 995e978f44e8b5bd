"""What `keras.models.clone_model` makes of a model, and has no public hook for.

Keras hands a clone nothing but inputs, outputs and a name, and makes that of a Sequential
a plain `keras.Sequential`, whatever class the model is of. Its two functions that clone,
which scikit-learn's wrappers go through too, are therefore followed by one of ours.
"""

import functools

from keras.src.models import cloning


def follow(clone_of):
    """From now on a clone is `clone_of(clone, model, ...)`, for every model of Keras's.

    Args:
        clone_of: Callable from Keras's own function and its arguments to the clone.
    """
    for name in ("_clone_sequential_model", "_clone_functional_model"):
        clone = getattr(cloning, name)
        followed = functools.wraps(clone)(functools.partial(clone_of, clone))
        setattr(cloning, name, followed)

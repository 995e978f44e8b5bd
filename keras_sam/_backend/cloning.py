"""What `keras.models.clone_model` makes of a model, and has no public hook for.

Keras hands a clone nothing but inputs, outputs and a name, and makes that of a Sequential
a plain `keras.Sequential`, whatever class the model is of. Its two functions that clone,
which scikit-learn's wrappers go through too, are therefore followed by one of ours.
"""

import functools

from keras.src.models import cloning


def follow(finish):
    """From now on a clone is `finish(model, clone)`, for every model of Keras's.

    Args:
        finish: Callable from a model and Keras's clone of it to the clone that is returned.
    """
    for name in ("_clone_sequential_model", "_clone_functional_model"):
        setattr(cloning, name, _followed(getattr(cloning, name), finish))


def _followed(clone, finish):
    @functools.wraps(clone)
    def followed(model, *args, **kwargs):
        return finish(model, clone(model, *args, **kwargs))

    return followed

"""Gradients of a function of tensors, and products with its Hessian."""

import contextlib

import keras

# How `product_of` may differentiate, the fastest first. All give the same numbers.
PRODUCTS = ("forward over reverse", "reverse over reverse")


def compiled(fn):
    """A function of tensors, compiled if the backend compiles."""
    return fn


@contextlib.contextmanager
def reading(layers, pairs):
    """Within it, layers see values in the place of variables, and write none."""
    with keras.StatelessScope(pairs, collect_losses=True):
        yield


def gradient_of(fn, weights):
    """The value of `fn(weights)`, a scalar, and its gradient; zeros where there is none."""
    return no_gradients()


def product_of(fn, weights, vectors, how):
    """The product of the Hessian of `fn` with vectors that are lists as the weights."""
    return no_gradients()


def out_of_memory(error):
    """Whether an error says so, which another way to differentiate would not mend."""
    return isinstance(error, MemoryError)


def no_gradients():
    """Refuses to train or to differentiate on this backend."""
    name = keras.backend.backend()
    raise NotImplementedError(  # As Keras's own `fit` on such a backend.
        f"keras_sam does not train on the {name} backend of Keras, which has no gradients. "
        'Set the environment variable `KERAS_BACKEND` to "tensorflow", "jax" or "torch" '
        f"before Keras is imported. Received: backend={name}"
    )

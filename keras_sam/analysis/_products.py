"""Products with the Hessian of a loss, as functions of vectors."""

import contextlib

import keras
import numpy as np

from keras_sam.analysis._flat import flat, unflat


@contextlib.contextmanager
def products(loss, verbose):
    """Within it, the product with the Hessian as a function of vectors, and a progress bar.

    Args:
        loss: `Loss`.
        verbose: `1` to show the bar, or `0`.
    """
    bar = keras.utils.Progbar(None, verbose=verbose, unit_name="product")

    def product(vector):
        found = flat(loss.product(unflat(vector, loss.weights)))
        if not np.isfinite(found).all():
            raise ValueError(
                "The Hessian of the loss is not finite at the model's weights. "
                f"Received: {np.sum(~np.isfinite(found))} of {loss.size} entries"
            )
        bar.add(1)
        return found

    yield product
    bar.update(loss.products, finalize=True)

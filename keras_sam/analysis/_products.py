"""Products with the Hessian of a loss, as functions of vectors."""

import contextlib

import numpy as np

from keras_sam.analysis._flat import flat, unflat
from keras_sam.analysis._progress import progress


@contextlib.contextmanager
def products(loss, verbose):
    """Within it, the product with the Hessian as a function of vectors, and a progress bar.

    Args:
        loss: `Loss`.
        verbose: `1` to show the bar, or `0`.
    """
    with progress("product", verbose) as done:

        def product(vector):
            found = flat(loss.product(unflat(vector, loss.weights)))
            if not np.isfinite(found).all():
                raise ValueError(
                    "The Hessian of the loss is not finite at the model's weights. "
                    f"Received: {np.sum(~np.isfinite(found))} of {loss.size} entries"
                )
            done()
            return found

        yield product

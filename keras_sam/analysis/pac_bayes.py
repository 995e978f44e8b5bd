"""The largest noise that the loss stands: PAC-Bayes sharpness."""

import dataclasses

import keras
import numpy as np

from keras_sam.analysis._checks import check_finite
from keras_sam.analysis._flat import flat, unflat
from keras_sam.analysis._loss import Loss
from keras_sam.analysis._progress import progress
from keras_sam.analysis._statistics import standard_error
from keras_sam.ascents.selection import Variables
from keras_sam.pictures import pyplot
from keras_sam.validation import count, number


@dataclasses.dataclass(frozen=True)
class Noise:
    """The largest noise that the loss stands.

    Attributes:
        sigma: Float, the standard deviation at which the mean loss has risen as asked.
        rise: Float, the mean rise there.
        error: Float, the standard error of that rise over draws.
        tried: Array of shape `(n, 2)`: each sigma that was tried, and its rise.
        draws: Integer.
        examples: Integer.
        seed: Integer.
    """

    sigma: float
    rise: float
    error: float
    tried: np.ndarray = dataclasses.field(repr=False)
    draws: int
    examples: int
    seed: int

    def plot(self, axes=None):
        """Draws the rises that were tried, by matplotlib. Returns the axes."""
        axes = axes or pyplot().figure(layout="constrained").gca()
        axes.plot(*self.tried[np.argsort(self.tried[:, 0])].T, marker="o")
        axes.set(xlabel="sigma", ylabel="rise of the loss", xscale="log")
        return axes


def pac_bayes_sigma(
    model: keras.Model,
    x,
    y=None,
    sample_weight=None,
    *,
    rise: float = 0.1,
    tolerance: float = 0.05,
    draws: int = 10,
    variables: Variables | None = None,
    batch_size: int = 32,
    training: bool = False,
    seed: int = 0,
    verbose: int = 1,
) -> Noise:
    """The standard deviation of noise at which a compiled model's mean loss rises so far.

        largest sigma with mean over z of L(w + sigma z) - L(w) <= rise,  z normal

    A flat minimum stands more noise. Found by bisection of its logarithm, with the same z
    for each sigma.

    Args:
        model: As for `sharpness`, like `x`, `y`, `sample_weight`, `variables`,
            `batch_size`, `training` and `verbose`.
        rise: Float above 0. Defaults to `0.1`.
        tolerance: Float above 0, the error of sigma, as a part of it. Defaults to `0.05`.
        draws: Integer, the number of z. Defaults to `10`.
        seed: Integer, of the draws. Defaults to `0`.

    Returns:
        `Noise`.

    Raises:
        ValueError: as of `sharpness`; if no noise between 1e-8 and 1e4 raises the loss so.

    Example:

    >>> inputs = keras.Input((8,))
    >>> model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    >>> model.compile("sgd", "mse")
    >>> x, y = np.eye(8, dtype="float32"), np.ones((8, 1), "float32")
    >>> keras_sam.analysis.pac_bayes_sigma(model, x, y, verbose=0).sigma > 0.1
    True

    Reference:
        - [Jiang et al., 2020](https://arxiv.org/abs/1912.02178), `1 / sigma`
    """
    rise, tolerance = number("rise", rise, 0), number("tolerance", tolerance, 0)
    if not rise or not tolerance:
        raise ValueError(
            "`rise` and `tolerance` must be above 0. "
            f"Received: rise={rise}, tolerance={tolerance}"
        )
    loss = Loss(model, (x, y, sample_weight), batch_size, variables, training)
    at_w, w = loss.value(loss.weights), flat(loss.weights)
    check_finite(at_w)
    rng = np.random.default_rng(seed)
    directions = [rng.normal(size=w.size) for _ in range(count("draws", draws))]
    tried = {}
    with progress("evaluation", verbose) as done:

        def value(weights):
            done()
            return loss.value(weights)

        def rises(sigma):
            values = [value(unflat(w + sigma * z, loss.weights)) for z in directions]
            # Beyond all numbers is beyond what was asked.
            tried[sigma] = np.nan_to_num(np.array(values) - at_w, nan=np.inf)
            return tried[sigma].mean()

        low, high = _around(rises, rise)
        while high / low > 1 + tolerance:
            middle = (low * high) ** 0.5
            low, high = (middle, high) if rises(middle) <= rise else (low, middle)
    found = tried[low]
    table = np.array([(sigma, each.mean()) for sigma, each in tried.items()])
    error = standard_error(found)
    return Noise(low, found.mean(), error, table, draws, loss.examples, seed)


def _around(rises, rise):
    """A sigma whose rise is below, and one ten times as large whose is not."""
    sigma = 1e-2
    if rises(sigma) <= rise:
        while sigma < 1e4:
            before, sigma = sigma, sigma * 10
            if rises(sigma) > rise:
                return before, sigma
    else:
        while sigma > 1e-8:
            sigma /= 10
            if rises(sigma) <= rise:
                return sigma, sigma * 10
    raise ValueError(f"No noise raises the loss by `rise`. Received: rise={rise}")

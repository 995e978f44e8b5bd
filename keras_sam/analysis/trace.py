"""The trace of the Hessian of the loss."""

import dataclasses

import keras
import numpy as np

from keras_sam.analysis._loss import Loss
from keras_sam.analysis._products import products
from keras_sam.analysis._statistics import standard_error
from keras_sam.ascents.selection import Variables
from keras_sam.pictures import pyplot
from keras_sam.validation import count, number


@dataclasses.dataclass(frozen=True)
class Trace:
    """The trace of the Hessian of the loss, estimated.

    Attributes:
        value: Float, the mean over draws.
        error: Float, the standard error of that mean.
        draws: Array, the estimate by each draw.
        products: Integer, the products with the Hessian that were taken.
        how: String, how a product was taken.
        examples: Integer.
        seed: Integer.
    """

    value: float
    error: float
    draws: np.ndarray = dataclasses.field(repr=False)
    products: int
    how: str
    examples: int
    seed: int

    def plot(self, axes=None):
        """Draws the mean after each draw, by matplotlib. Returns the axes."""
        axes = axes or pyplot().figure(layout="constrained").gca()
        n = np.arange(2, len(self.draws) + 1)
        means = np.array([self.draws[:i].mean() for i in n])
        errors = np.array([standard_error(self.draws[:i]) for i in n])
        axes.plot(n, means)
        axes.fill_between(n, means - errors, means + errors, alpha=0.3)
        axes.set(xlabel="draws", ylabel="trace of the Hessian")
        return axes


def hessian_trace(
    model: keras.Model,
    x,
    y=None,
    sample_weight=None,
    *,
    error: float = 0.05,
    draws: int = 100,
    variables: Variables | None = None,
    batch_size: int = 32,
    training: bool = False,
    seed: int = 0,
    verbose: int = 1,
) -> Trace:
    """The trace of the Hessian of a compiled model's loss, by Hutchinson's estimate.

        mean over draws of <z, H z>,  z of independent signs

    It stops once the standard error is below `error` times the mean, and not before 5
    draws.

    Args:
        model: As for `hessian_eigenvalues`, like `x`, `y`, `sample_weight`, `variables`,
            `batch_size`, `training` and `verbose`.
        error: Float, the standard error to reach, as a part of the mean. Defaults to
            `0.05`.
        draws: Integer, the most draws. Defaults to `100`.
        seed: Integer, of the draws. Defaults to `0`.

    Returns:
        `Trace`.

    Raises:
        ValueError: as of `hessian_eigenvalues`.

    Example:

    >>> inputs = keras.Input((8,))
    >>> model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    >>> model.compile("sgd", "mse")
    >>> x, y = np.eye(8, dtype="float32"), np.ones((8, 1), "float32")
    >>> trace = keras_sam.analysis.hessian_trace(model, x, y, verbose=0)
    >>> round(trace.value)
    4

    Reference:
        - [Hutchinson, 1990](https://doi.org/10.1080/03610919008812866)
    """
    error, draws = number("error", error, 0), count("draws", draws)
    loss = Loss(model, (x, y, sample_weight), batch_size, variables, training)
    rng, found = np.random.default_rng(seed), []
    with products(loss, verbose) as product:
        while len(found) < draws:
            z = rng.choice([-1.0, 1.0], loss.size)
            found.append(z @ product(z))
            if len(found) >= 5 and standard_error(found) <= error * abs(np.mean(found)):
                break
    return Trace(
        float(np.mean(found)),
        standard_error(found),
        np.array(found),
        loss.products,
        loss.how,
        loss.examples,
        seed,
    )

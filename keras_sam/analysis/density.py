"""The density of the eigenvalues of the Hessian of the loss."""

import dataclasses

import keras
import numpy as np

from keras_sam.analysis._loss import Loss
from keras_sam.analysis._products import products
from keras_sam.ascents.selection import Variables
from keras_sam.pictures import pyplot
from keras_sam.validation import count


@dataclasses.dataclass(frozen=True)
class Density:
    """The density of the eigenvalues of the Hessian, by stochastic Lanczos quadrature.

    Attributes:
        nodes: List of an array for each draw: where it has its weights.
        weights: List of an array for each draw, which sums to 1.
        size: Integer, the number of the Hessian's eigenvalues.
        products: Integer, the products with the Hessian that were taken.
        how: String, how a product was taken.
        examples: Integer.
        seed: Integer.
    """

    nodes: list = dataclasses.field(repr=False)
    weights: list = dataclasses.field(repr=False)
    size: int
    products: int
    how: str
    examples: int
    seed: int

    def moments(self, power):
        """The mean of the eigenvalues to this power, by each draw: an array."""
        return np.array([w @ t**power for t, w in zip(self.nodes, self.weights)])

    def at(self, points, width):
        """The density, smoothed by a Gaussian: an array of shape `(draws, points)`.

        Args:
            points: Array of eigenvalues.
            width: Float, the Gaussian's standard deviation.
        """
        points = np.asarray(points)
        each = []
        for nodes, weights in zip(self.nodes, self.weights):
            far = (points[:, np.newaxis] - nodes) / width
            each.append(np.exp(-(far**2) / 2) @ weights / (width * np.sqrt(2 * np.pi)))
        return np.array(each)

    def plot(self, axes=None, points=1000):
        """Draws the mean over draws and the band of all, by matplotlib. Returns the axes.

        The width of the Gaussian is a hundredth of the range of the eigenvalues.
        """
        axes = axes or pyplot().figure(layout="constrained").gca()
        ends = min(map(np.min, self.nodes)), max(map(np.max, self.nodes))
        width = (ends[1] - ends[0]) / 100 or 1.0
        grid = np.linspace(ends[0] - 5 * width, ends[1] + 5 * width, points)
        each = np.maximum(self.at(grid, width), 1e-12)
        axes.plot(grid, each.mean(0))
        axes.fill_between(grid, each.min(0), each.max(0), alpha=0.3)
        axes.set(xlabel="eigenvalue of the Hessian", ylabel="density", yscale="log")
        axes.set_ylim(bottom=1 / self.size / 100)
        return axes


def hessian_density(
    model: keras.Model,
    x,
    y=None,
    sample_weight=None,
    *,
    steps: int | None = None,
    draws: int = 5,
    variables: Variables | None = None,
    batch_size: int = 32,
    training: bool = False,
    seed: int = 0,
    verbose: int = 1,
) -> Density:
    """The density of the eigenvalues of the Hessian of a compiled model's loss.

    Stochastic Lanczos quadrature: each draw is a random direction, of which `steps`
    products with the Hessian give as many nodes and weights. Their moments up to
    `2 * steps - 1` are, in the mean over draws, those of the spectrum. All vectors of a
    draw are kept and made orthogonal to each other: `steps` copies of the weights.

    Args:
        model: As for `hessian_eigenvalues`, like `x`, `y`, `sample_weight`, `variables`,
            `batch_size`, `training` and `verbose`.
        steps: Integer, products in a draw, at most the number of weights. Defaults to
            `None`, for 40 or that number.
        draws: Integer, the number of draws. Defaults to `5`.
        seed: Integer, of the draws. Defaults to `0`.

    Returns:
        `Density`.

    Raises:
        ValueError: as of `hessian_eigenvalues`.

    Example:

    >>> inputs = keras.Input((8,))
    >>> model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    >>> model.compile("sgd", "mse")
    >>> x, y = np.eye(8, dtype="float32"), np.ones((8, 1), "float32")
    >>> density = keras_sam.analysis.hessian_density(model, x, y, steps=3, verbose=0)
    >>> len(density.nodes)
    5

    Reference:
        - [Ghorbani et al., 2019](https://arxiv.org/abs/1901.10159)
    """
    draws = count("draws", draws)
    loss = Loss(model, (x, y, sample_weight), batch_size, variables, training)
    steps = min(40, loss.size) if steps is None else count("steps", steps)
    if steps > loss.size:
        raise ValueError(
            "`steps` must be at most the number of weights. "
            f"Received: steps={steps}, with {loss.size} weights"
        )
    rng, nodes, weights = np.random.default_rng(seed), [], []
    with products(loss, verbose) as product:
        for _ in range(draws):
            diagonal, off = lanczos(product, rng.normal(size=loss.size), steps)
            values, vectors = np.linalg.eigh(
                np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1)
            )
            nodes.append(values)
            weights.append(vectors[0] ** 2)
    return Density(nodes, weights, loss.size, loss.products, loss.how, loss.examples, seed)


def lanczos(matvec, start, steps):
    """The tridiagonal matrix of a symmetric operator in the space of its powers.

    Returns:
        Its diagonal, and the entries beside it: shorter where the space is exhausted.
    """
    basis = [start / np.linalg.norm(start)]
    diagonal, off = [], []
    for _ in range(steps):
        rest = matvec(basis[-1])
        diagonal.append(rest @ basis[-1])
        for _ in range(2):  # Once more, or what rounding leaves would grow.
            for vector in basis:
                rest = rest - (rest @ vector) * vector
        length = np.linalg.norm(rest)
        scale = max(map(abs, [*diagonal, *off, 1e-30]))
        if len(diagonal) == steps or length <= 1e-6 * scale:
            break
        off.append(length)
        basis.append(rest / length)
    return np.array(diagonal), np.array(off)

"""The extreme eigenvalues of the Hessian of the loss."""

import dataclasses

import keras
import numpy as np

from keras_sam.analysis._loss import Loss
from keras_sam.analysis._products import products
from keras_sam.ascents.selection import Variables
from keras_sam.pictures import pyplot
from keras_sam.validation import count, number


@dataclasses.dataclass(frozen=True)
class Eigenvalues:
    """Eigenvalues of the Hessian of the loss.

    Attributes:
        values: Array of shape `(k,)`, the largest first.
        residuals: Array of shape `(k,)`, ||H v - lambda v||_2: an eigenvalue is
            no further than this from each value.
        vectors: List of `k` lists of arrays with the shapes of the weights, of length 1.
        variables: List of the paths of the weights.
        products: Integer, the products with the Hessian that were taken.
        how: String, how a product was taken.
        examples: Integer.
        seed: Integer.
    """

    values: np.ndarray
    residuals: np.ndarray
    vectors: list = dataclasses.field(repr=False)
    variables: list = dataclasses.field(repr=False)
    products: int
    how: str
    examples: int
    seed: int

    def plot(self, axes=None):
        """Draws the values with their residuals, by matplotlib. Returns the axes."""
        axes = axes or pyplot().figure(layout="constrained").gca()
        numbers = np.arange(1, len(self.values) + 1)
        axes.errorbar(numbers, self.values, self.residuals, fmt="o", capsize=3)
        axes.set(xlabel="number", ylabel="eigenvalue of the Hessian", xticks=numbers)
        return axes


def hessian_eigenvalues(
    model: keras.Model,
    x,
    y=None,
    sample_weight=None,
    *,
    k: int = 5,
    which: str = "largest",
    variables: Variables | None = None,
    tolerance: float = 1e-3,
    batch_size: int = 32,
    training: bool = False,
    seed: int = 0,
    verbose: int = 1,
) -> Eigenvalues:
    """The extreme eigenvalues of the Hessian of a compiled model's loss.

    The loss is the compiled one on all data: with regularizers, `add_loss` and weights of
    examples. The solver is SciPy's (Lanczos, `scipy.sparse.linalg.eigsh`), which sees
    products with the Hessian alone. Its memory is about `2 * k + 20` copies of the weights.

    Args:
        model: A compiled and built `keras.Model`, sharpness-aware or not.
        x: Data as `fit` takes them: arrays, a `tf.data.Dataset`, a `PyDataset`. They are
            read once for each product.
        y: Targets, where `x` does not have them.
        sample_weight: Weights of the examples, where `x` does not have them.
        k: Integer, the number of eigenvalues: below that of the weights. Defaults to `5`.
        which: `"largest"`, `"smallest"` (the most negative), or `"both"` for half of `k`
            from each end. Defaults to `"largest"`.
        variables: Of which weights, as for `keras_sam.ascents.Ascent`: a layer class, a
            regular expression, a function, or a list of these. Defaults to `None`, for all.
        tolerance: Float, when to stop: the error of a value, as a part of it. Defaults to
            `1e-3`.
        batch_size: Integer, the number of examples in memory at a time. Defaults to `32`.
        training: Bool. Whether batch norm uses the statistics of each batch, and dropout
            drops. Defaults to `False`, as in inference.
        seed: Integer, of the vector to begin with. Defaults to `0`.
        verbose: `1` for a progress bar, or `0`. Defaults to `1`.

    Returns:
        `Eigenvalues`.

    Raises:
        ValueError: if an argument is not of this form; if the model is not compiled; if the
            loss is not finite, or is no mean over examples; if there are no data.

    Example:

    >>> inputs = keras.Input((8,))
    >>> model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    >>> model.compile("sgd", "mse")
    >>> x, y = np.eye(8, dtype="float32"), np.ones((8, 2), "float32")
    >>> top = keras_sam.analysis.hessian_eigenvalues(model, x, y, k=2, verbose=0)
    >>> top.values.shape
    (2,)

    Reference:
        - [Lanczos, as in ARPACK](https://docs.scipy.org/doc/scipy/reference/generated/scipy.sparse.linalg.eigsh.html)
    """
    linalg = _scipy()
    loss = Loss(model, (x, y, sample_weight), batch_size, variables, training)
    n = loss.size
    k, which = count("k", k), _end(which)
    if k >= n:
        raise ValueError(
            "`k` must be below the number of weights. For all of them, take products with "
            f"each unit vector. Received: k={k}, with {n} weights"
        )
    tolerance = number("tolerance", tolerance, 0)
    start = np.random.default_rng(seed).normal(size=n)
    with products(loss, verbose) as product:
        operator = linalg.LinearOperator((n, n), product, dtype="float64")
        values, vectors = linalg.eigsh(operator, k, which=which, tol=tolerance, v0=start)
        order = np.argsort(values)[::-1]
        values, vectors = values[order], vectors[:, order]
        pairs = zip(values, vectors.T)
        residuals = [np.linalg.norm(product(v) - value * v) for value, v in pairs]
    shapes = [tuple(v.shape) for v in loss.variables]
    return Eigenvalues(
        values,
        np.array(residuals),
        [_shaped(v, shapes) for v in vectors.T],
        [v.path for v in loss.variables],
        loss.products,
        loss.how,
        loss.examples,
        seed,
    )


def _end(which):
    ends = {"largest": "LA", "smallest": "SA", "both": "BE"}
    if which not in ends:
        raise ValueError(
            f'`which` must be "largest", "smallest" or "both". Received: which={which}'
        )
    return ends[which]


def _shaped(vector, shapes):
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(s) for part, s in zip(np.split(vector, ends), shapes)]


def _scipy():
    try:
        from scipy.sparse import linalg
    except ImportError as error:
        raise ImportError("Eigenvalues need SciPy: `pip install scipy`.") from error
    return linalg

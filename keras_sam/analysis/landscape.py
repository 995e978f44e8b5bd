"""The loss along random directions, filter by filter as large as the weights."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_sam.analysis._checks import check_finite
from keras_sam.analysis._flat import flat, unflat
from keras_sam.analysis._loss import Loss
from keras_sam.ascents.selection import Variables
from keras_sam.pictures import pyplot
from keras_sam.validation import count, number


@dataclasses.dataclass(frozen=True)
class Landscape:
    """The loss in one or two random directions from the weights.

    Attributes:
        steps: Array of shape `(points,)`, how far along a direction. In the middle is 0.
        losses: Array of shape `(points,)`, or `(points, points)` with the first direction
            along its first axis.
        examples: Integer.
        seed: Integer.
    """

    steps: np.ndarray = dataclasses.field(repr=False)
    losses: np.ndarray = dataclasses.field(repr=False)
    examples: int
    seed: int

    def plot(self, axes=None, levels=20):
        """Draws the curve, or lines of equal loss, by matplotlib. Returns the axes.

        Args:
            axes: Axes to draw on. Defaults to `None`, for a new figure.
            levels: The number of lines, or their losses, so that several models can have
                the same. Defaults to `20`.
        """
        axes = axes or pyplot().figure(layout="constrained").gca()
        if self.losses.ndim == 1:
            axes.plot(self.steps, self.losses)
            axes.set(xlabel="step along the direction", ylabel="loss")
            return axes
        lines = axes.contour(self.steps, self.steps, self.losses.T, levels=levels)
        axes.clabel(lines, fontsize="small")
        axes.set(xlabel="first direction", ylabel="second direction", aspect="equal")
        return axes


def loss_landscape(
    model: keras.Model,
    x,
    y=None,
    sample_weight=None,
    *,
    directions: int = 2,
    points: int = 51,
    extent: float = 1.0,
    variables: Variables | None = None,
    batch_size: int = 32,
    training: bool = False,
    seed: int = 0,
    verbose: int = 1,
) -> Landscape:
    """The loss of a compiled model along random directions from its weights.

    A direction is normal, and each filter of it (what gives one output of a kernel) is
    brought to the length of that filter of the weights. Weights without filters (biases,
    scales of normalization) stay. So networks whose weights are of different size can be
    held against each other.

    Args:
        model: A compiled and built `keras.Model`, sharpness-aware or not.
        x: Data as `fit` takes them: arrays, a `tf.data.Dataset`, a `PyDataset`. They are
            read once for each point.
        y: Targets, where `x` does not have them.
        sample_weight: Weights of the examples, where `x` does not have them.
        directions: `1` or `2`. Defaults to `2`.
        points: Integer, in each direction: odd, so that the middle is the model. Defaults
            to `51`.
        extent: Float above 0, how far to go: 1 for as far as the weights are long. Defaults
            to `1.0`.
        variables: Which weights to move, as for `keras_sam.ascents.Ascent`. Defaults to
            `None`, for all.
        batch_size: Integer, the number of examples in memory at a time. Defaults to `32`.
        training: Bool. Whether batch norm uses the statistics of each batch, and dropout
            drops. Defaults to `False`, as in inference.
        seed: Integer, of the directions. Defaults to `0`.
        verbose: `1` for a progress bar, or `0`. Defaults to `1`.

    Returns:
        `Landscape`.

    Raises:
        ValueError: if an argument is not of this form; if the model is not compiled; if the
            loss is not finite, or is no mean over examples; if there are no data.

    Example:

    >>> inputs = keras.Input((8,))
    >>> model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    >>> model.compile("sgd", "mse")
    >>> x, y = np.eye(8, dtype="float32"), np.ones((8, 1), "float32")
    >>> found = keras_sam.analysis.loss_landscape(
    ...     model, x, y, directions=1, points=5, verbose=0
    ... )
    >>> found.losses.shape
    (5,)

    Reference:
        - [Li et al., 2018](https://arxiv.org/abs/1712.09913)
    """
    if directions not in (1, 2):
        raise ValueError(f"`directions` must be 1 or 2. Received: directions={directions}")
    if count("points", points) % 2 == 0:
        raise ValueError(f"`points` must be odd. Received: points={points}")
    loss = Loss(model, (x, y, sample_weight), batch_size, variables, training)
    check_finite(loss.value(loss.weights))
    rng = np.random.default_rng(seed)
    axes = [flat(_direction(loss.weights, rng)) for _ in range(directions)]
    extent = number("extent", extent, 0)
    steps = np.linspace(-extent, extent, points)
    shape = (points,) * directions
    bar = keras.utils.Progbar(points**directions, verbose=verbose, unit_name="point")
    losses, start = np.empty(shape), flat(loss.weights)
    for index in np.ndindex(shape):
        there = start + sum(steps[i] * axis for i, axis in zip(index, axes))
        losses[index] = loss.value(unflat(there, loss.weights))
        bar.add(1)
    return Landscape(steps, losses, loss.examples, seed)


def _direction(weights, rng):
    return [_as_long(rng.normal(size=tuple(w.shape)), w) for w in weights]


def _as_long(direction, weight):
    """With each filter as long as that of the weight; zeros where it has none."""
    weight = ops.convert_to_numpy(weight).astype("float64")
    if weight.ndim < 2:
        return np.zeros_like(direction)
    axes = tuple(range(weight.ndim - 1))
    lengths = [np.sqrt((a**2).sum(axes, keepdims=True)) for a in (weight, direction)]
    return direction * (lengths[0] / lengths[1])

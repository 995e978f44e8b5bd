"""How much the loss rises within a ball around the weights."""

import dataclasses
import functools

import keras
import numpy as np

from keras_sam.analysis._ascent import ascent_of, scales_of, up
from keras_sam.analysis._checks import check_finite
from keras_sam.analysis._flat import flat, unflat
from keras_sam.analysis._loss import Loss
from keras_sam.analysis._progress import progress
from keras_sam.analysis._statistics import standard_error
from keras_sam.ascents import Metric
from keras_sam.ascents.selection import Variables
from keras_sam.pictures import pyplot
from keras_sam.validation import count, number


@dataclasses.dataclass(frozen=True)
class Sharpness:
    """How much the loss rises within a ball around the weights.

    Attributes:
        loss: Float, L(w).
        worst: Float, the rise at the perturbation that the ascent has found.
        worst_error: Float, its standard error over batches, or over groups with `m`, of
            which a short last one counts as one: not a number for a single one.
        average: Float, the mean rise at normal perturbations of that size.
        average_error: Float, its standard error over draws.
        random: Float, the mean rise in random directions, at exactly that size.
        random_error: Float, its standard error over draws.
        rho: Float, the radius.
        gradients: Integer, the gradients on all data that the ascent took.
        draws: Integer.
        examples: Integer.
        seed: Integer.
    """

    loss: float
    worst: float
    worst_error: float
    average: float
    average_error: float
    random: float
    random_error: float
    rho: float
    gradients: int
    draws: int
    examples: int
    seed: int

    def plot(self, axes=None):
        """Draws the three rises, by matplotlib. Returns the axes."""
        axes = axes or pyplot().figure(layout="constrained").gca()
        rises = [self.worst, self.average, self.random]
        errors = np.nan_to_num([self.worst_error, self.average_error, self.random_error])
        axes.bar(["worst", "average", "random"], rises, yerr=errors, capsize=3)
        axes.set(ylabel=f"rise of the loss at rho = {self.rho:g}")
        return axes


def sharpness(
    model: keras.Model,
    x,
    y=None,
    sample_weight=None,
    *,
    rho: float = 0.05,
    p: float = 2,
    m: int | None = None,
    steps: int = 1,
    metric: Metric | None = None,
    draws: int = 5,
    variables: Variables | None = None,
    batch_size: int = 32,
    training: bool = False,
    seed: int = 0,
    verbose: int = 1,
) -> Sharpness:
    """The rise of a compiled model's loss within a ball: the worst, the mean, at random.

        worst   = L(w + eps) - L(w),  eps as in training
        average = mean over z of L(w + rho T z / sqrt(n)) - L(w),  z normal, n its entries
        random  = the same with z of length sqrt(n)

    The loss is the compiled one: with regularizers, `add_loss` and weights of examples. The
    rise of one model cannot be held against that of another architecture: scaling weights
    up in one layer and down in the next changes it, and not the function (but for a
    `metric`).

    Args:
        model: A compiled and built `keras.Model`, sharpness-aware or not.
        x: Data as `fit` takes them: arrays, a `tf.data.Dataset`, a `PyDataset`.
        y: Targets, where `x` does not have them.
        sample_weight: Weights of the examples, where `x` does not have them.
        rho: Float `>= 0`. Radius of the ball, in weight units. Defaults to `0.05`.
        p: Float in `[1, inf]`, the norm of the ball. Defaults to `2`.
        m: Integer, the number of examples that share a perturbation, as in training: the
            mean over groups of successive examples. Defaults to `None`, for all.
        steps: Integer, of the ascent, as of `keras_sam.ascents.LpBall`: after each but the
            first the perturbation is brought back to the ball. Defaults to `1`.
        metric: `keras_sam.ascents.Metric`, whose ball it is, for example
            `keras_sam.ascents.Adaptive()`; it has a `p` of its own. Defaults to `None`.
        draws: Integer, of the mean and of the random directions. Defaults to `5`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults to
            `None`, for all.
        batch_size: Integer, the number of examples in memory at a time. Defaults to `32`.
        training: Bool. Whether batch norm uses the statistics of each batch, and dropout
            drops. Defaults to `False`, as in inference.
        seed: Integer, of the draws. Defaults to `0`.
        verbose: `1` for a progress bar, or `0`. Defaults to `1`.

    Returns:
        `Sharpness`.

    Raises:
        ValueError: if an argument is not of this form; if the model is not compiled; if the
            loss is not finite, or is no mean over examples; if there are no data.

    Example:

    >>> inputs = keras.Input((8,))
    >>> model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    >>> model.compile("sgd", "mse")
    >>> x, y = np.eye(8, dtype="float32"), np.ones((8, 1), "float32")
    >>> found = keras_sam.analysis.sharpness(model, x, y, rho=0.1, verbose=0)
    >>> found.worst > found.average
    True

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), section 4.1 for m
        - [Andriushchenko et al., 2023](https://arxiv.org/abs/2302.07011), for what it does
          not say
    """
    rho, draws = number("rho", rho, 0), count("draws", draws)
    m = m if m is None else count("m", m)
    steps = count("steps", steps)
    ascent, project = ascent_of(p, steps, metric)
    loss = Loss(model, (x, y, sample_weight), m or batch_size, variables, training)
    ascent.build(loss.variables)
    climb = functools.partial(up, loss, ascent, project, steps, rho)
    with progress("evaluation", verbose) as done:
        losses, rises, sizes = _climbed(loss, climb, m is not None, done)
        at_w, worst = (float(np.average(of, weights=sizes)) for of in (losses, rises))
        check_finite(at_w)
        units = rho * scales_of(loss, ascent)
        average, random = _drawn(loss, at_w, units, draws, seed, done)
    return Sharpness(
        at_w,
        worst,
        standard_error(rises),
        float(np.mean(average)),
        standard_error(average),
        float(np.mean(random)),
        standard_error(random),
        rho,
        steps,
        draws,
        loss.examples,
        seed,
    )


def _climbed(loss, climb, by_groups, done):
    """Of each batch the loss at w, its rise at the perturbation, and its examples."""
    there, losses, rises, sizes = None if by_groups else climb(None), [], [], []
    for examples, batch in loss.batches():
        losses.append(loss.value(loss.weights, batch))
        at = climb(batch) if by_groups else there
        rises.append(loss.value(at, batch) - losses[-1])
        sizes.append(examples)
        done()
    return losses, rises, sizes


def _drawn(loss, at_w, units, draws, seed, done):
    """The rises at normal perturbations, and in random directions."""
    w, rng = flat(loss.weights), np.random.default_rng(seed)
    average, random = [], []
    for _ in range(draws):
        z = rng.normal(size=loss.size)
        for rises, length in ((average, loss.size**0.5), (random, np.linalg.norm(z))):
            at = unflat(w + units * z / length, loss.weights)
            rises.append(loss.value(at) - at_w)
            done()
    return average, random

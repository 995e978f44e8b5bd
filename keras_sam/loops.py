"""Sharpness-aware minimization in a training loop of one's own."""

from collections.abc import Callable
from typing import Any, Literal

from keras_sam._loop.value_and_grad import ValueAndGrad
from keras_sam._model.settings import Settings
from keras_sam.ascents import Ascent
from keras_sam.descents import Descent
from keras_sam.methods import Method
from keras_sam.schedules import Schedule
from keras_sam.schedules.rho import Radius


def value_and_grad(
    fn: Callable,
    model: Any,
    *,
    has_aux: bool = False,
    rho: Radius = 0.05,
    m: int | Literal["global"] | None = None,
    ascent: Ascent | None = None,
    descent: Descent | None = None,
    schedule: Schedule | None = None,
    second_order: bool = False,
    method: Method | None = None,
) -> ValueAndGrad:
    """The loss at w and the sharpness-aware gradient, for a training loop of your own.

        eps = rho * g / ||g||_2,  g = gradient of L(w)
        gradients = gradient of L at w + eps

    It is what `SAMModel` does inside `fit`: no weight is written, and of what `fn` moves
    (statistics of batch norm, seeds) what it moves at w is kept. What the optimizer does
    with the gradients is yours: any optimizer will do.

    Args:
        fn: Callable from what a call is given to a scalar loss, or with `has_aux` to
            `(loss, aux)`. It calls the model as any Keras code does, with `training=True`.
        model: A built `keras.Model` or layer, a `keras.Variable`, or a list of these: what
            `fn` uses. The gradients are those of its trainable weights.
        has_aux: Bool. Whether `fn` returns `(loss, aux)`, with a nested structure of
            tensors. Defaults to `False`.
        rho: As of `SAMModel`. Defaults to `0.05`.
        m: As of `SAMModel`. With groups of examples, each tensor that a call is given has a
            row for each example, and so has each of `aux`, and the loss is a mean over
            examples. Defaults to `None`.
        ascent: As of `SAMModel`.
        descent: As of `SAMModel`.
        schedule: As of `SAMModel`.
        second_order: As of `SAMModel`.
        method: As of `SAMModel`.

    Returns:
        A `ValueAndGrad`. Called with the arguments of `fn`, it gives a `Result`.

    Raises:
        ValueError: if an argument is not of this form, or a model is not built.

    Example:

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    >>> optimizer = keras.optimizers.SGD(0.1)
    >>> def loss(x, y):
    ...     return keras.ops.mean((model(x, training=True) - y) ** 2)
    >>> grad = keras_sam.value_and_grad(loss, model, rho=0.05)
    >>> result = grad(np.ones((4, 8), "float32"), np.ones((4, 1), "float32"))
    >>> optimizer.apply(result.gradients, grad.variables)

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Algorithm 1
    """
    settings = Settings(rho, m, ascent, descent, schedule, second_order, method)
    return ValueAndGrad(fn, model, has_aux, settings)

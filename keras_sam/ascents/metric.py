"""The ball in a metric: each weight has a unit of its own."""

import abc

import keras

from keras_sam.ascents.ascent import Ascent
from keras_sam.norms import steepest


@keras.saving.register_keras_serializable("keras_sam")
class Metric(Ascent, abc.ABC):
    """The steepest perturbation where weights are measured in units of T.

        eps = rho * T^2 g / ||T g||_2    for p = 2
        eps = rho * T sign(g)            for p = inf

    It maximizes `<eps, g>` over `||eps / T||_p <= rho`. A variant defines `scale`, which
    gives T. Where T depends on what the ascent remembers, it overrides `init` and
    `remember` too, as any ascent.

    A T of 1 for some weights and of 0 for the others perturbs the first alone. This is what
    `variables` does with any ascent, and SAM-ON with `keras.layers.BatchNormalization`.

    Args:
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Attributes:
        p: Float in `[1, inf]`. The norm of the ball.

    Raises:
        ValueError: in training, if `scale` does not return an entry for each weight.

    Example:

    >>> class Filters(keras_sam.ascents.Metric):
    ...     def scale(self, weights, memory):
    ...         return [keras.ops.norm(w) if len(w.shape) > 1 else None for w in weights]
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> model = keras_sam.SAMModel(inputs, outputs, ascent=Filters())

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Eq. 2, for `T = 1`
        - [Kwon et al., 2021](https://arxiv.org/abs/2102.11600), who introduced T
    """

    p = 2.0

    @abc.abstractmethod
    def scale(self, weights, memory):
        """T of each weight.

        Args:
            weights: List of tensors.
            memory: List of tensors, what is remembered. Empty in a direct call.

        Returns:
            List that has for each weight a tensor of its shape and dtype, or a scalar, or
            `None` for 1.
        """

    def __call__(self, weights, gradients, rho, memory=()):
        scales = self.scale(weights, memory)
        if not isinstance(scales, (list, tuple)) or len(scales) != len(weights):
            raise ValueError(
                f"`{type(self).__name__}.scale` must return a list with a tensor, a number "
                f"or `None` for each of {len(weights)} weights. Received: {scales}"
            )

        def scaled(tensors):
            return [t if size is None else t * size for t, size in zip(tensors, scales)]

        return scaled(steepest(scaled(gradients), rho, self.p))

    def perturb(self, weights, gradients, rho, memory):
        return self(weights, gradients, rho, *([memory] if memory else []))

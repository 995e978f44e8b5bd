"""muP^2: a ball whose size follows the width of each layer."""

import math
import re
from collections.abc import Callable

import keras

from keras_sam.ascents.metric import Metric
from keras_sam.ascents.selection import Variables

Fans = Callable[[keras.Variable], tuple[int, int]]


@keras.saving.register_keras_serializable("keras_sam")
class Layerwise(Metric):
    """Perturbs each layer by its width, so that wide networks are perturbed in all (muP^2).

        eps = rho * T^2 g / ||T g||_2,  T^2 = fan_out / fan_in

    In one ball for all weights, the wider a network is, the more of rho goes to its last
    layer, till the others are not perturbed at all. With T, outputs of all layers move
    alike at any width, and where the network is in muP (the maximal update
    parametrization), the best rho of a narrow one is that of a wide one.

    The paper asks of each layer's perturbation a spectral norm in the order of
    `sqrt(fan_out / fan_in)`. In muP, g then counts n times in input layers of a network of
    width n, once in hidden layers and 1/n times in the output layer: what the ratio of the
    fans comes to. That the ratio itself is the scale, and that the norm is that of `T g`,
    to which all layers contribute in the same order, are choices of ours. So is what a fan
    is:

    - biases, and the scales of normalization: `fan_in` is 1, as muP counts a bias, and
      `fan_out` the number of entries;
    - embeddings: `fan_in` is 1, as one row is read, and `fan_out` the length of a row;
    - kernels: the last two axes. The size of a filter of a convolution is in both fans;
    - attention: all axes of the inputs and all of the outputs;
    - layers whose name, or variable, says "depthwise": `fan_in` is 1 and `fan_out` all
      channels. Those that say "transpose" have both the other way round.

    Keras's own initializers are not muP's. Nothing here sets them, or learning rates.

    Args:
        fans: Callable from a Keras variable to its `(fan_in, fan_out)`, in place of the
            list above. Defaults to `None`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Raises:
        ValueError: if `fans` is not callable; in training, if a fan is not above 0.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(keras.layers.Dense(64)(inputs))
    >>> ascent = keras_sam.ascents.Layerwise()
    >>> model = keras_sam.SAMModel(inputs, outputs, rho=0.1, ascent=ascent)

    Reference:
        - [Haas et al., 2024](https://arxiv.org/abs/2411.00075)
    """

    def __init__(self, fans: Fans | None = None, variables: Variables | None = None):
        super().__init__(variables)
        if fans is not None and not callable(fans):
            raise ValueError(f"`fans` must be callable. Received: fans={fans}")
        self.fans = fans

    def build(self, variables):
        pairs = [(self.fans or fans_of)(v) for v in variables]
        for variable, (fan_in, fan_out) in zip(variables, pairs):
            if not (fan_in > 0 and fan_out > 0) and _size(variable):
                raise ValueError(
                    "The fans of a weight must be above 0. "
                    f"Received: fans={(fan_in, fan_out)} for {variable.path}"
                )
        # Of a weight without entries a fan is 0, and there is nothing to scale.
        self.sizes = [(n and m / n) ** 0.5 for n, m in pairs]

    def scale(self, weights, memory):
        return self.sizes

    def get_config(self):
        return {"fans": self.fans, **super().get_config()}


def fans_of(variable):
    """The `(fan_in, fan_out)` of a variable, as `Layerwise` lists them."""
    shape, path = tuple(variable.shape), variable.path
    if "embeddings" in variable.name:
        return 1, shape[-1]
    if len(shape) < 2 or "bias" in variable.name:
        return 1, _size(variable)
    if len(shape) == 3 and re.search(r"(query|key|value)/kernel$", path):
        return shape[0], shape[1] * shape[2]
    if len(shape) == 3 and re.search(r"attention_output/kernel$", path):
        return shape[0] * shape[1], shape[2]
    if "depthwise" in path:
        return 1, shape[-2] * shape[-1]
    return shape[:-3:-1] if "transpose" in path else shape[-2:]


def _size(variable):
    return math.prod(variable.shape)

"""The control: a perturbation that does not look for the way up."""

import keras
from keras import ops

from keras_sam import _backend
from keras_sam.ascents.ascent import Ascent
from keras_sam.ascents.selection import Variables
from keras_sam.validation import count


@keras.saving.register_keras_serializable("keras_sam")
class RandomDirection(Ascent):
    """A perturbation of norm rho in a random direction.

        eps = rho * d / ||d||_2,  d normal

    What an ascent gains over this, it gains by going up. (It also costs a gradient at w, so
    that its logs can be compared with those of other ascents.)

    Args:
        seed: Integer `>= 0`, or `None` for a random one. Defaults to `None`.
        variables: Which weights to perturb, as for `keras_sam.ascents.Ascent`. Defaults
            to `None`, for all.

    Raises:
        ValueError: if `seed` is not of this form.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> ascent = keras_sam.ascents.RandomDirection(seed=1)
    >>> model = keras_sam.SAMModel(inputs, outputs, ascent=ascent)

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), C.5
    """

    def __init__(self, seed: int | None = None, variables: Variables | None = None):
        super().__init__(variables)
        self.seed = seed if seed is None else count("seed", seed, 0)
        self.generator = keras.random.SeedGenerator(self.seed)

    def init(self, weights):
        return [self.generator.state.value + 0]

    def remember(self, gradients, memory):
        """Advances the seed past this step's draws."""
        (seed,) = memory
        return [seed + ops.convert_to_tensor([0, len(gradients)], seed.dtype)]

    def direction(self, gradients, memory):
        (seed,) = memory
        # A prime, so that replicas with neighbouring seeds do not draw alike.
        offset = ops.convert_to_tensor(_backend.replica_index(), seed.dtype) * 7919
        seed = seed + ops.stack([offset, ops.zeros_like(offset)])
        with keras.StatelessScope([(self.generator.state, seed)]):
            return [
                keras.random.normal(ops.shape(g), dtype=g.dtype, seed=self.generator)
                for g in gradients
            ]

    def get_config(self):
        return {"seed": self.seed, **super().get_config()}

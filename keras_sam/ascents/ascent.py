"""What all ascents have in common, and the plainest of them."""

import keras
from keras import ops

from keras_sam.ascents.selection import Selection, Variables
from keras_sam.described import described
from keras_sam.norms import norm, steepest, unit


@keras.saving.register_keras_serializable("keras_sam")
class Ascent:
    """From the weights and a gradient to a perturbation.

        eps = rho * d / ||d||_2,  d = direction(g)

    A variant overrides `__call__`, where it perturbs otherwise, or `direction`, where
    another way leads up. One that remembers gives the tensors to begin with in `init`,
    and their new values in `remember`: it assigns nothing itself. Where not only the
    direction depends on them, it overrides `perturb` in place of `__call__`. What it
    remembers is saved and resumed with the model, and is kept per replica.

    All lists of tensors are parallel to the weights that are perturbed. A weight without
    a gradient has one of zeros.

    Args:
        variables: Which weights to perturb, the norm being over those alone: a layer
            class, a regular expression that is searched in the path of a variable, a
            callable from a variable to a bool, or a list of these, of which one has to
            hold. Defaults to `None`, for all.

    Attributes:
        needs_gradient: Bool. Whether the perturbation depends on this step's gradient. If
            no rule of the step does, the step takes one pass, at w + eps.
        steps: Integer `> 0`, the number of gradients that a perturbation takes. After each
            but the first, `project` brings it back to the ball.

    Raises:
        ValueError: if `variables` is of another kind; in training, if it selects no weight.

    Example:

    >>> class Sign(keras_sam.ascents.Ascent):
    ...     def __call__(self, weights, gradients, rho):
    ...         return [rho * keras.ops.sign(g) for g in gradients]
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> model = keras_sam.SAMModel(inputs, outputs, ascent=Sign(variables="kernel"))

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Eq. 2
        - [Mueller et al., 2023](https://arxiv.org/abs/2306.04226) for the normalization
          layers alone: `variables=keras.layers.BatchNormalization`
    """

    needs_gradient = True
    steps = 1

    def __init__(self, variables: Variables | None = None):
        self.variables = variables if variables is None else Selection.of(variables)

    def build(self, variables):
        """Called before each step with the list of Keras variables to perturb."""
        return  # AutoGraph, in a `tf.function` of the user's, wants more than a docstring.

    def init(self, weights):
        """What to remember at first: a list of tensors."""
        return []

    def remember(self, gradients, memory):
        """What to remember after this step's gradient: at w, if one is taken there."""
        return memory

    def direction(self, gradients, memory):
        """Which way is up.

        Args:
            gradients: List of tensors; `None` where `needs_gradient` is False.
            memory: List of tensors. This step's gradient is in it already, if the
                direction needs it.

        Returns:
            List of tensors, shapes and dtypes as the weights.
        """
        return gradients

    def __call__(self, weights, gradients, rho):
        """The perturbation of each weight.

        Args:
            weights: List of tensors.
            gradients: List of tensors, the direction.
            rho: Float or scalar tensor `>= 0`. Radius of the ball, in weight units.

        Returns:
            List of tensors, shapes and dtypes as `gradients`.
        """
        return steepest(gradients, rho)

    def perturb(self, weights, gradients, rho, memory):
        """As `__call__`, with the memory: what a step calls.

        Override it in place of `__call__` where the perturbation depends on what is
        remembered.

        Args:
            weights: List of tensors.
            gradients: List of tensors, the direction.
            rho: Float or scalar tensor `>= 0`. Radius of the ball, in weight units.
            memory: List of tensors. This step's gradient is in it already, if the
                ascent needs it.

        Returns:
            List of tensors, shapes and dtypes as `gradients`.
        """
        return self(weights, gradients, rho)

    def project(self, perturbation, rho):
        """Brings a perturbation back to the ball of radius rho, between two `steps`."""
        length = norm(perturbation)
        rho = ops.cast(rho, length.dtype)
        length = ops.where(length > rho, rho, length)
        directions = zip(unit(perturbation), perturbation)
        return [ops.cast(length * d, e.dtype) for d, e in directions]

    __repr__ = described

    def get_config(self):
        return {"variables": self.variables}

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))

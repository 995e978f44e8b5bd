"""What all descents have in common, and the plainest of them."""

import abc

import keras

from keras_sam.described import described


@keras.saving.register_keras_serializable("keras_sam")
class Descent(abc.ABC):
    """From two gradients to one: base class of the variants.

    A variant defines `__call__`. One that remembers gives the tensors to begin with in
    `init`, and their new values in `remember`; its `__call__` then has a third argument.
    What it remembers is saved and resumed with the model, and is kept per replica. It
    changes on steps that climb alone.

    Attributes:
        needs_gradient: Bool. Whether the gradient at w is needed.
        functional: Bool. Whether s is of the network at w + eps and of the loss's
            derivative at the predictions that w gives, as for `Functional`.

    Example:

    >>> class Sum(keras_sam.descents.Descent):
    ...     def __call__(self, gradients, perturbed):
    ...         return [g + s for g, s in zip(gradients, perturbed)]
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> model = keras_sam.SAMModel(inputs, outputs, descent=Sum())
    """

    needs_gradient = True
    functional = False

    def init(self, weights):
        """What to remember at first: a list of tensors."""
        return []

    def remember(self, gradients, perturbed, memory):
        """What to remember after this step's two gradients."""
        return memory

    @abc.abstractmethod
    def __call__(self, gradients, perturbed):
        """The gradient for the optimizer.

        Args:
            gradients: List of tensors, the gradient g at w.
            perturbed: List of tensors, the gradient s at w + eps.
            memory: List of tensors, only for a descent that remembers something. This
                step's gradients are in it already.

        Returns:
            List of tensors, shapes and dtypes as `perturbed`.
        """

    __repr__ = described

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("keras_sam")
class Perturbed(Descent):
    """The gradient at w + eps alone, as in the paper.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> descent = keras_sam.descents.Perturbed()
    >>> model = keras_sam.SAMModel(inputs, outputs, descent=descent)

    Reference:
        - [Foret et al., 2021](https://arxiv.org/abs/2010.01412), Algorithm 1
    """

    needs_gradient = False

    def __call__(self, gradients, perturbed):
        return perturbed

"""The gradients of a pass, as the rules and as the optimizer are given them."""

from keras import ops

from keras_sam import _backend


class Gradients:
    """What becomes of a list of gradients, one or `None` for each variable.

    The gradients of a pass are multiplied by loss scaling and divided by the number of
    replicas. Both are undone for the rules, and done again to what a descent returns, since
    the optimizer expects them.

    In float8 training some variables get their next value in place of a gradient. They are
    not trained in this sense, and that value is passed on unchanged.

    Args:
        variables: List of Keras variables.
        scale: Scalar. The gradients of a pass are those of the loss times this.
        average: Callable from a list of tensors to their mean over the neighbours (the
            replicas that share a perturbation), or `None` where there are none.

    Attributes:
        trained: List of the indices of the variables that are trained.
    """

    def __init__(self, variables, scale, average):
        self.variables, self.scale, self.average = variables, scale, average
        indexed = enumerate(variables)
        self.trained = [i for i, v in indexed if not v.overwrite_with_gradient]

    def over_neighbours(self, gradients):
        """Their mean over the neighbours."""
        if self.average is None:
            return gradients
        gradients = list(gradients)
        present = [i for i in self.trained if gradients[i] is not None]
        means = self.average([_backend.dense(gradients[i]) for i in present])
        for i, mean in zip(present, means):
            gradients[i] = mean
        return gradients

    def of_loss(self, gradients, indices):
        """Those of the loss itself, dense, of the variables with these indices.

        Zeros where there is none.
        """
        dense = [
            ops.zeros(self.variables[i].shape, self.variables[i].dtype)
            if gradients[i] is None
            else _backend.dense(gradients[i])
            for i in indices
        ]
        return self._times(dense, 1 / self.scale)

    def for_optimizer(self, update, gradients):
        """Those of a pass, with a rule's update in the place of what is trained."""
        update = dict(zip(self.trained, self._times(update, self.scale)))
        return [g if g is None else update.get(i, g) for i, g in enumerate(gradients)]

    def keep_overwrites(self, gradients, clean):
        """With the clean pass's value for variables that are overwritten, not trained."""
        gradients = list(gradients)
        for i in set(range(len(self.variables))) - set(self.trained):
            gradients[i] = clean[i]
        return gradients

    def _times(self, tensors, factor):
        """Where nothing scales, nothing is computed: `factor` is then Python's 1.0."""
        if isinstance(factor, float) and factor == 1:
            return tensors
        return _backend.scaled(tensors, factor)

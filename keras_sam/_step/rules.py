"""The rules of one step: the ascent, the descent and the schedule, and how they combine.

    g                = the gradient at w, where a rule needs it
    memory           = remember(g, memory)           the ascent has seen g
    climbs, memory   = decide(g, memory)             the schedule has
    w + eps          = perturb(w, g, memory, ...)    along the ascent's direction
    s                = the gradient at w + eps
    update, memory   = descend(climbs, g, s, memory)

An ascent that does without g remembers s instead, in `descend`. Nothing is kept from one of
these to the next but what it returns.
"""

from keras import ops

from keras_sam import _backend
from keras_sam._step.branch import branch
from keras_sam._step.finite import usable
from keras_sam._step.rule_checks import check_memory, check_tensors
from keras_sam.descents import Perturbed


class Rules:
    """The ascent, the descent and the schedule in one step.

    They are given dense gradients of the loss, zeros where there is none, of the weights
    that are theirs: the ascent of those that it perturbs, the others of all that are
    trained. The gradients of a pass are multiplied by loss scaling and divided by the
    number of replicas: both are undone for the rules, and done again to what a descent
    returns, since the optimizer expects them.

    In float8 training some variables get their next value in place of a gradient. They are
    not trained in this sense, and that value is passed on unchanged.

    Args:
        settings: The model's `Settings`.
        rho: Scalar, the radius.
        time: The step's `Time`.
        optimizer: The model's optimizer.
        variables: List of Keras variables.
        perturbed: List of those of them that the ascent perturbs.
        scale: Scalar. The gradients of a pass are those of the loss times this.
        average: Callable from a list of tensors to their mean over the neighbours (the
            replicas that share a perturbation), or `None` where there are none.

    Attributes:
        stays_at_w: Bool. Whether rho is 0 and was when the step was compiled, which then is
            the plain step: TensorFlow's graph optimizer would see the difference.
    """

    def __init__(
        self, settings, rho, time, optimizer, variables, perturbed, scale, average
    ):
        self.ascent, self.descent = settings.ascent, settings.descent
        self.schedule, self.second_order = settings.schedule, settings.second_order
        self.stays_at_w = settings.rho_is_zero
        self.rho, self.time = rho, time
        self.optimizer, self.variables = optimizer, variables
        indexed = list(enumerate(variables))
        self.trained = [i for i, v in indexed if not v.overwrite_with_gradient]
        perturbed = set(map(id, perturbed))
        self.perturbed = [i for i, v in indexed if id(v) in perturbed]
        self.scale, self.average = scale, average

    @property
    def needs_gradient(self):
        rules = self.ascent, self.descent, self.schedule
        return any(rule.needs_gradient for rule in rules)

    def shared(self, gradients):
        """The gradients that the neighbours have in common: the mean of theirs."""
        if self.average is None:
            return gradients
        gradients = list(gradients)
        present = [i for i in self.trained if gradients[i] is not None]
        means = self.average([_backend.dense(gradients[i]) for i in present])
        for i, mean in zip(present, means):
            gradients[i] = mean
        return gradients

    def remember(self, gradients, memory):
        """The memory after the ascent has seen the gradients at w, if it needs them."""
        if gradients is None or not self.ascent.needs_gradient:
            return memory
        return self._remembered(gradients, memory)

    def decide(self, gradients, memory):
        """Whether this step climbs, and the memory after the schedule has decided that."""
        if self.schedule.needs_gradient:
            gradients = self._of_loss(gradients, self.trained)
        climbs, after = self.schedule.climbs(self.time, gradients, memory.schedule)
        check_memory(self.schedule, "climbs", after, memory.schedule)
        inside = self.ascent.steps > 1 or self.second_order
        if inside and self.average is not None and not isinstance(climbs, bool):
            raise ValueError(
                "Replicas that share a perturbation cannot meet on some steps only, as "
                "`steps` above 1 and `second_order` would have them do with a schedule. "
                "Use `m=None`, or no schedule. "
                f"Received: schedule={self.schedule}, steps={self.ascent.steps}, "
                f"second_order={self.second_order}"
            )
        return climbs, memory.after(schedule=after)

    def perturb(self, weights, gradients, seen, memory, evaluate):
        """w + eps.

        With `steps` above 1, further gradients are evaluated on the way.

        Args:
            weights: List of tensors, w.
            gradients: List of tensors, the gradient at w, or `None`.
            seen: The `Memory` after the ascent has seen them.
            memory: The `Memory` before.
            evaluate: Callable from weights to a `Pass`.
        """
        ours = [weights[i] for i in self.perturbed]
        perturbation = self._climb(ours, gradients, seen)
        moved = self._moved(weights, perturbation, gradients)
        for _ in range(self.ascent.steps - 1):
            there = self.shared(evaluate(moved).gradients)
            step = self._climb(ours, there, self.remember(there, memory))
            further = [e + d for e, d in zip(perturbation, step)]
            perturbation = self.ascent.project(further, self.rho)
            self._check("project", perturbation)
            moved = self._moved(weights, perturbation, gradients)
        return moved

    def usable(self, perturbed, clean):
        """The gradients to use of the pass at w + eps, and whether its loss is finite: a
        tensor, or `None` where that is a pass at w."""
        if self.stays_at_w:
            return perturbed.gradients, None
        return usable(perturbed, clean, self.trained, self.optimizer)

    def keep_overwrites(self, gradients, clean):
        """With the clean pass's value for variables that are overwritten, not trained."""
        trained = set(self.trained)
        return [g if i in trained else c for i, (g, c) in enumerate(zip(gradients, clean))]

    def descend(self, climbs, gradients, perturbed, memory):
        """The gradients for the optimizer, and the memory at the end of the step."""
        reads_all = not isinstance(self.descent, Perturbed) or self.schedule.reuses
        if reads_all or not self.ascent.needs_gradient:
            perturbed = self.shared(perturbed)
        if not self.ascent.needs_gradient:
            memory = self._remembered(perturbed, memory)
        if not reads_all:
            return perturbed, memory
        s = self._of_loss(perturbed, self.trained)
        g = None if gradients is None else self._of_loss(gradients, self.trained)
        trained = [self.variables[i] for i in self.trained]

        def climbed():
            update = self.descent(g, s)
            check_tensors(self.descent, "__call__", update, trained)
            after = self.schedule.climbed(g, s, memory.schedule)
            check_memory(self.schedule, "climbed", after, memory.schedule)
            return update, after

        def stayed():
            update = self.schedule.stay(s, memory.schedule)
            check_tensors(self.schedule, "stay", update, trained)
            return update, memory.schedule

        update, after = branch(climbs, climbed, stayed)
        update = dict(zip(self.trained, self._times(update, self.scale)))
        update = [p if p is None else update.get(i, p) for i, p in enumerate(perturbed)]
        return update, memory.after(schedule=after)

    def _climb(self, weights, gradients, memory):
        """The perturbation of radius rho by these gradients, which are in the memory."""
        if self.ascent.needs_gradient:
            gradients = self._of_loss(gradients, self.perturbed)
        else:
            gradients = None
        direction = self.ascent.direction(gradients, memory.ascent)
        self._check("direction", direction)
        perturbation = self.ascent(weights, direction, self.rho)
        self._check("__call__", perturbation)
        return perturbation

    def _check(self, method, tensors):
        perturbed = [self.variables[i] for i in self.perturbed]
        check_tensors(self.ascent, method, tensors, perturbed)

    def _remembered(self, gradients, memory):
        gradients = self._of_loss(gradients, self.perturbed)
        after = self.ascent.remember(gradients, memory.ascent)
        check_memory(self.ascent, "remember", after, memory.ascent)
        return memory.after(ascent=after)

    def _of_loss(self, gradients, indices):
        """The gradients of the loss itself, of the weights with these indices."""
        dense = [
            ops.zeros(self.variables[i].shape, self.variables[i].dtype)
            if gradients[i] is None
            else _backend.dense(gradients[i])
            for i in indices
        ]
        return self._times(dense, 1 / self.scale)

    def _times(self, tensors, factor):
        """Where nothing scales, nothing is computed: `factor` is then Python's 1.0."""
        if isinstance(factor, float) and factor == 1:
            return tensors
        return _backend.scaled(tensors, factor)

    def _moved(self, weights, perturbation, gradients):
        moved = list(weights)
        for i, e in zip(self.perturbed, perturbation):
            if gradients is None or gradients[i] is not None:
                moved[i] = weights[i] + e
        return moved

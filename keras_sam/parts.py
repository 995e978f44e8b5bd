"""The parts of a step: what each of them is given, and what it remembers."""

from keras import ops

from keras_sam import _backend
from keras_sam.branch import branch
from keras_sam.descents import Perturbed
from keras_sam.finite import unless_infinite, usable
from keras_sam.rule_checks import check_memory, check_tensors
from keras_sam.schedules.schedule import Time


class Parts:
    """The ascent, the descent and the schedule in one step.

    They are given dense gradients of the loss, zeros where there is none, of the weights
    that are theirs: the ascent of those that it perturbs, the others of all that are
    trained. (In float8 training some variables get their next value in place of a gradient;
    it is passed on unchanged.) The gradients of a pass are multiplied by loss scaling and
    divided by the number of replicas: both are undone for the rules, and done again to what
    a descent returns, since the optimizer expects them.

    Args:
        settings: The model's `Settings`, built.
        optimizer: The model's optimizer, which knows what step it is.
        variables: List of Keras variables.
        weights: List of tensors, their values w.
        memory: Dict of lists of tensors, what the ascent and the schedule remember.
        scale: Scalar. The gradients of a pass are those of the loss times this.
        share: Callable from a list of tensors to their mean over the replicas that share
            a perturbation, or `None` where none do.

    Attributes:
        stays_at_w: Bool. Whether rho is 0 and was when the step was compiled, which then is
            the plain step: TensorFlow's graph optimizer would see the difference.
        memory: Dict of lists of tensors, as given, and at the end of the step as it is
            to be remembered.
    """

    def __init__(self, settings, optimizer, variables, weights, memory, scale, share):
        self.ascent, self.descent = settings.ascent, settings.descent
        self.schedule, self.second_order = settings.schedule, settings.second_order
        self.rho = settings.rho(optimizer)
        self.stays_at_w = settings.rho.is_zero
        # A variable, or with gradient accumulation a tensor.
        self.time = Time(optimizer.iterations + 0, settings.epoch + 0)
        self.weights = weights
        indexed = list(enumerate(variables))
        self.optimizer, self.variables = optimizer, variables
        self.trained = [i for i, v in indexed if not v.overwrite_with_gradient]
        perturbed = set(map(id, settings.perturbed))
        self.perturbed = [i for i, v in indexed if id(v) in perturbed]
        self.before, self.memory = memory, dict(memory)
        self.scale = scale
        self.mean = share
        self.seen = None

    @property
    def needs_gradient(self):
        parts = self.ascent, self.descent, self.schedule
        return any(part.needs_gradient for part in parts)

    def share(self, gradients):
        """The gradients that the replicas which share a perturbation have in common."""
        if self.mean is None:
            return gradients
        gradients = list(gradients)
        present = [i for i in self.trained if gradients[i] is not None]
        means = self.mean([_backend.dense(gradients[i]) for i in present])
        for i, mean in zip(present, means):
            gradients[i] = mean
        return gradients

    def climbs(self, gradients):
        """Whether this step climbs. Takes note of the gradient at w."""
        if gradients is not None and self.ascent.needs_gradient:
            self.seen = gradients
            self._remember(gradients)
        if self.schedule.needs_gradient:
            gradients = self._of_loss(gradients, self.trained)
        memory = self.memory["schedule"]
        climbs, memory = self.schedule.climbs(self.time, gradients, memory)
        check_memory(self.schedule, "climbs", memory, self.memory["schedule"])
        self._keep("schedule", memory)
        inside = self.ascent.steps > 1 or self.second_order
        if inside and self.mean is not None and not isinstance(climbs, bool):
            raise ValueError(
                "Replicas that share a perturbation cannot meet on some steps only, as "
                "`steps` above 1 and `second_order` would have them do with a schedule. "
                "Use `m=None`, or no schedule. "
                f"Received: schedule={self.schedule}, steps={self.ascent.steps}, "
                f"second_order={self.second_order}"
            )
        return climbs

    def perturb(self, weights, gradients, evaluate):
        """w + eps, where eps is by these gradients, and by others if it takes several."""
        ours = [weights[i] for i in self.perturbed]
        perturbation = self._climb(ours, gradients)
        moved = self._moved(weights, perturbation, gradients)
        for _ in range(self.ascent.steps - 1):
            there = self.share(evaluate(moved).gradients)
            further = zip(perturbation, self._climb(ours, there))
            perturbation = self.ascent.project([e + d for e, d in further], self.rho)
            self._check("project", perturbation)
            moved = self._moved(weights, perturbation, gradients)
        return moved

    def usable(self, perturbed, clean):
        """The gradients to use of the pass at w + eps, and whether its loss is finite: a
        tensor, or `None` where that is a pass at w."""
        if self.stays_at_w:
            return perturbed.gradients, None
        return usable(perturbed, clean, self.trained, self.optimizer)

    def unless_fixed(self, gradients, clean):
        trained = set(self.trained)
        return [g if i in trained else c for i, (g, c) in enumerate(zip(gradients, clean))]

    def descend(self, climbs, gradients, perturbed):
        """The gradients for the optimizer. Takes note of the last pass's."""
        if not self.ascent.needs_gradient:
            perturbed = self.share(perturbed)
            self._remember(perturbed)
        if isinstance(self.descent, Perturbed) and not self.schedule.reuses:
            return perturbed
        if self.ascent.needs_gradient:
            perturbed = self.share(perturbed)
        memory = self.memory["schedule"]
        s = self._of_loss(perturbed, self.trained)
        g = None if gradients is None else self._of_loss(gradients, self.trained)
        trained = [self.variables[i] for i in self.trained]

        def climbed():
            update = self.descent(g, s)
            check_tensors(self.descent, "__call__", update, trained)
            after = self.schedule.climbed(g, s, memory)
            check_memory(self.schedule, "climbed", after, memory)
            return update, after

        def stayed():
            update = self.schedule.stay(s, memory)
            check_tensors(self.schedule, "stay", update, trained)
            return update, memory

        update, memory = branch(climbs, climbed, stayed)
        self._keep("schedule", memory)
        update = dict(zip(self.trained, self._times(update, self.scale)))
        return [p if p is None else update.get(i, p) for i, p in enumerate(perturbed)]

    def _climb(self, weights, gradients):
        ours, memory = None, self.before["ascent"]
        if self.ascent.needs_gradient:
            ours, memory = self._of_loss(gradients, self.perturbed), self.memory["ascent"]
            if gradients is not self.seen:
                memory = self._remembered(gradients)
        direction = self.ascent.direction(ours, memory)
        self._check("direction", direction)
        perturbation = self.ascent(weights, direction, self.rho)
        self._check("__call__", perturbation)
        return perturbation

    def _check(self, method, tensors):
        perturbed = [self.variables[i] for i in self.perturbed]
        check_tensors(self.ascent, method, tensors, perturbed)

    def _remember(self, gradients):
        self._keep("ascent", self._remembered(gradients))

    def _remembered(self, gradients):
        before = self.before["ascent"]
        memory = self.ascent.remember(self._of_loss(gradients, self.perturbed), before)
        check_memory(self.ascent, "remember", memory, before)
        return memory

    def _keep(self, name, memory):
        """But not what overflowed: an optimizer with loss scaling skips that step."""
        before = self.memory[name]
        self.memory[name] = [unless_infinite(n, b) for n, b in zip(memory, before)]

    def _of_loss(self, gradients, indices):
        """The gradients of the loss itself, of the weights with these indices."""
        dense = [
            ops.zeros_like(self.weights[i])
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

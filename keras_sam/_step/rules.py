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

from keras_sam._step.branch import branch
from keras_sam._step.curvature import curvature_of, curvature_of_no_climb
from keras_sam._step.finite import usable
from keras_sam._step.reuse import divided, left_of, with_reuse
from keras_sam._step.rule_checks import check_memory, check_tensors
from keras_sam.ascents import Ascent
from keras_sam.descents import Perturbed


class Rules:
    """The ascent, the descent and the schedule in one step.

    The ascent is given the gradients of the loss of the weights that it perturbs, the
    others those of all that are trained.

    Args:
        settings: The model's `Settings`.
        now: `Now`.
        objective: The `Objective`.
        perturbed: List of those of its variables that the ascent perturbs.
        gradients: The `Gradients` of these variables.

    Attributes:
        needs_gradient: Bool. Whether a rule needs the gradient at w, if only on the steps
            that climb.
        stays_at_w: Bool. Whether rho is 0 and was when the step was compiled, which then is
            the plain step: TensorFlow's graph optimizer would see the difference.
    """

    def __init__(self, settings, now, objective, perturbed, gradients):
        self.ascent, self.descent = settings.ascent, settings.descent
        self.schedule, self.second_order = settings.schedule, settings.second_order
        self.stays_at_w = settings.rho_is_zero
        self.functional = settings.descent.functional and not self.stays_at_w
        self.rho, self.time = now.rho, now.time
        self.measures, self.now = settings.curvature, now
        self.variables, self.skips_overflow = objective.variables, objective.skips_overflow
        perturbed = set(map(id, perturbed))
        self.perturbed = [i for i, v in enumerate(self.variables) if id(v) in perturbed]
        self.gradients, self.trained = gradients, gradients.trained
        self.needs_gradient = settings.needs_gradient

    def can_share(self, trunk):
        """Whether both passes can have one run of a `Trunk`, or `None`."""
        if trunk is None or not self.ascent.needs_gradient or self.schedule.fraction < 1:
            return False
        if self.stays_at_w or self.second_order or self.functional:
            return False
        reads_all = self._descent_reads_all or self.schedule.needs_gradient or self.measures
        return not (reads_all and trunk.trained)  # Of the trunk there is only the last one.

    @property
    def _descent_reads_all(self):
        return not isinstance(self.descent, Perturbed) or self.schedule.reuses

    def need_each_gradient(self, memory):
        """Whether they need the gradient at w on steps that do not climb, too."""
        remembers = self.ascent.needs_gradient and bool(memory.ascent)
        return self.schedule.needs_gradient or remembers

    def remember(self, gradients, memory):
        """The memory after the ascent has seen the gradients at w, if it needs them."""
        if gradients is None or not self.ascent.needs_gradient:
            return memory
        return self._remembered(gradients, memory)

    def decide(self, gradients, memory):
        """Whether this step climbs, and the memory after the schedule has decided that."""
        if self.schedule.needs_gradient:
            gradients = self.gradients.of_loss(gradients, self.trained)
        own, vectors = divided(self.schedule, memory.schedule, len(self.trained))
        climbs, after = self.schedule.climbs(self.time, gradients, own)
        check_memory(self.schedule, "climbs", after, own)
        inside = self.ascent.steps > 1 or self.second_order or self.measures
        if inside and self.gradients.average is not None and not isinstance(climbs, bool):
            raise ValueError(
                "Replicas that share a perturbation cannot meet on some steps only, as "
                "`steps` above 1, `second_order` and `curvature` would have them do with a "
                "schedule. Use `m=None`, or no schedule. "
                f"Received: schedule={self.schedule}, steps={self.ascent.steps}, "
                f"second_order={self.second_order}, curvature={self.measures}"
            )
        return climbs, memory.after(schedule=[*after, *vectors])

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
            there = self.gradients.over_neighbours(evaluate(moved).gradients)
            step = self._climb(ours, there, self.remember(there, memory))
            further = [e + d for e, d in zip(perturbation, step)]
            perturbation = self.ascent.project(further, self.rho)
            self._check("project", perturbation)
            moved = self._moved(weights, perturbation, gradients)
        return moved

    def measured(self, gradients, weights=None, there=None, perturbed=None):
        """What `curvature_of` gives, if asked for. All but g are of a step that climbs."""
        if not self.measures:
            return []
        g = self.gradients.of_loss(gradients, self.trained)
        if perturbed is None:
            return curvature_of_no_climb(g)
        perturbed = self.gradients.over_neighbours(perturbed)
        s = self.gradients.of_loss(perturbed, self.trained)
        eps = [there[i] - weights[i] for i in self.trained]
        return curvature_of(eps, g, s, self.now.learning_rate)

    def usable(self, perturbed, clean):
        """The gradients to use of the pass at w + eps, and whether its loss is finite: a
        tensor, or `None` where that is a pass at w."""
        if self.stays_at_w:
            return perturbed.gradients, None
        behind = range(len(self.variables), len(perturbed.gradients))  # See `Shared`.
        indices = [*self.trained, *behind]
        return usable(perturbed, clean, indices, self.skips_overflow())

    def descend(self, climbs, gradients, perturbed, memory):
        """The gradients for the optimizer, and the memory at the end of the step."""
        reads_all = self._descent_reads_all
        if reads_all or not self.ascent.needs_gradient:
            perturbed = self.gradients.over_neighbours(perturbed)
        if not self.ascent.needs_gradient:
            memory = self._remembered(perturbed, memory)
        if not reads_all:
            return perturbed, memory
        s = self.gradients.of_loss(perturbed, self.trained)
        g = None if gradients is None else self.gradients.of_loss(gradients, self.trained)
        trained = [self.variables[i] for i in self.trained]
        own, vectors = divided(self.schedule, memory.schedule, len(self.trained))

        def climbed():
            update, seen = self._update(g, s, memory.descent)
            after = self.schedule.climbed(g, s, own)
            check_memory(self.schedule, "climbed", after, own)
            return update, seen, [*after, *left_of(self.schedule, g, s, vectors)]

        def stayed():
            update = self.schedule.stay(s, own)
            check_tensors(self.schedule, "stay", update, trained)
            update = with_reuse(self.schedule, update, vectors)
            after = self.schedule.stayed(s, own)
            check_memory(self.schedule, "stayed", after, own)
            return update, memory.descent, [*after, *vectors]

        update, seen, after = branch(climbs, climbed, stayed)
        update = self.gradients.for_optimizer(update, perturbed)
        return update, memory.after(descent=seen, schedule=after)

    def _update(self, gradients, perturbed, memory):
        """The gradient that the descent gives, and what it remembers then."""
        if memory:
            after = self.descent.remember(gradients, perturbed, memory)
            check_memory(self.descent, "remember", after, memory)
            memory = list(after)
        update = self.descent(gradients, perturbed, *([memory] if memory else []))
        trained = [self.variables[i] for i in self.trained]
        check_tensors(self.descent, "__call__", update, trained)
        return update, memory

    def _climb(self, weights, gradients, memory):
        """The perturbation of radius rho by these gradients, which are in the memory."""
        if self.ascent.needs_gradient:
            gradients = self.gradients.of_loss(gradients, self.perturbed)
        else:
            gradients = None
        direction = self.ascent.direction(gradients, memory.ascent)
        self._check("direction", direction)
        perturbation = self.ascent.perturb(weights, direction, self.rho, memory.ascent)
        plain = type(self.ascent).perturb is Ascent.perturb
        self._check("__call__" if plain else "perturb", perturbation)
        return perturbation

    def _check(self, method, tensors):
        perturbed = [self.variables[i] for i in self.perturbed]
        check_tensors(self.ascent, method, tensors, perturbed)

    def _remembered(self, gradients, memory):
        gradients = self.gradients.of_loss(gradients, self.perturbed)
        after = self.ascent.remember(gradients, memory.ascent)
        check_memory(self.ascent, "remember", after, memory.ascent)
        return memory.after(ascent=after)

    def _moved(self, weights, perturbation, gradients):
        moved = list(weights)
        for i, e in zip(self.perturbed, perturbation):
            if gradients is None or gradients[i] is not None:
                moved[i] = weights[i] + e
        return moved

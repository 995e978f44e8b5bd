"""The step that a `Method` takes, in the form of a `Step`."""

from keras import ops
from keras.tree import map_structure

from keras_sam import _backend
from keras_sam._step import ascent_pass
from keras_sam._step.arrays import as_fit_gives_it
from keras_sam._step.finite import finite_updates
from keras_sam._step.rule_checks import check_memory, check_tensors
from keras_sam._step.step import Step, check_alike


class MethodStep:
    """A method in one step.

    Args:
        method: The `Method`.
        now: `Now`.
        objective: The `Objective`.
        gradients: The `Gradients` of its variables.
    """

    def __init__(self, method, now, objective, gradients):
        self.method, self.now = method, now
        self.objective, self.gradients = objective, gradients

    def __call__(self, evaluation_of, weights, memory, given=()):
        """Takes it.

        Args:
            evaluation_of: Callable from a callable that changes the rows of the batch, or
                `None`, to a callable from weights to a `Pass`.
            weights: List of tensors, w, of all variables.
            memory: The `Memory` before the step.
            given: List of `(variable, value)`, the state that the passes start from where
                that is not the variables' own.

        Returns:
            A `Step`.

        Raises:
            ValueError: if the method gives anything else than it should.
        """
        passes = _Passes(evaluation_of, weights, self.gradients)
        ours = [weights[i] for i in self.gradients.trained]
        found = self.method(passes.evaluate, ours, memory.method, self.now)
        if not isinstance(found, tuple) or len(found) != 3:
            self._refuse("a tuple of the kept pass, the gradients and the memory", found)
        kept, update, after = found
        raw = next((raw for own, raw in passes.whole if own is kept), None)
        if raw is None:
            self._refuse(
                "as the first of three what `evaluate` gave for the whole batch (without "
                "`rows`), as it is",
                kept,
            )
        check_memory(self.method, "__call__", after, memory.method)
        return Step(
            raw._replace(updates=finite_updates(True, raw.updates, given)),
            None,
            self.gradients.for_optimizer(self._usable(update, kept), raw.gradients),
            memory.after(method=list(after)),
        )

    def _usable(self, update, kept):
        """The gradients to use: where one is not finite, that of the kept pass."""
        variables = [self.objective.variables[i] for i in self.gradients.trained]
        check_tensors(self.method, "__call__", update, variables)
        update = [ops.cast(u, g.dtype) for u, g in zip(update, kept.gradients)]
        everywhere, skips = ops.ones((), "bool"), self.objective.skips_overflow()
        return _backend.mended(update, kept.gradients, everywhere, skips)

    def _refuse(self, wanted, received):
        raise ValueError(
            f"`{type(self.method).__name__}` must return {wanted}. "
            f"Received: {received} (of type {type(received)})"
        )


class _Passes:
    """The passes of a step, as the method asks for them.

    Attributes:
        whole: List of pairs of a pass over the whole batch, as the method has it and as it
            was.
    """

    def __init__(self, evaluation_of, weights, gradients):
        self.evaluation_of, self.weights, self.gradients = evaluation_of, weights, gradients
        self.evaluations = {}
        self.whole = []

    def evaluate(self, weights, rows=None, at=None, ascent_pass=False):
        """As `Method.__call__` has it."""
        run = self._evaluation(rows, ascent_pass)
        within = None if at is None else lambda all_: self._all(at(self._ours(all_)))
        raw = run(self._all(weights), within)
        raw = raw._replace(gradients=self.gradients.over_neighbours(raw.gradients))
        ours = self.gradients.of_loss(raw.gradients, self.gradients.trained)
        found = raw._replace(gradients=ours)
        if rows is None:
            self.whole.append((found, raw))
            check_alike(self.whole[0][1].gradients, raw.gradients)
        return found

    def _evaluation(self, rows, ascends):
        if rows not in self.evaluations:
            change = rows and (lambda batch: rows(map_structure(as_fit_gives_it, batch)))
            self.evaluations[rows] = self.evaluation_of(change)
        run = self.evaluations[rows]
        return ascent_pass.ascent_pass(run) if ascends else run

    def _all(self, trained):
        """With the variables that float8 training overwrites, which no rule sees."""
        weights = list(self.weights)
        for i, weight in zip(self.gradients.trained, trained, strict=True):
            weights[i] = ops.cast(weight, weights[i].dtype)
        return weights

    def _ours(self, weights):
        return [weights[i] for i in self.gradients.trained]

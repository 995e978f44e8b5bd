"""Rules of the package written as methods, and the methods of docs/methods.md."""

import re
from pathlib import Path

import keras

from keras_sam.methods import Method
from keras_sam.norms import steepest

PAGE = Path(__file__).parents[1] / "docs/methods.md"


def documented():
    """Dict of the page's names."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S):
        # What it trains is the business of `test_docs`.
        exec(re.split(r"\n(?:inputs =|for method)", block)[0], names)
    return names


def up(weights, gradients, rho):
    return [w + e for w, e in zip(weights, steepest(gradients, rho))]


@keras.saving.register_keras_serializable("tests")
class Paper(Method):
    """`SAMModel` without any other argument."""

    def __call__(self, evaluate, weights, memory, now):
        clean = evaluate(weights, ascent_pass=True)
        there = up(weights, clean.gradients, now.rho)
        return clean, evaluate(there).gradients, memory


@keras.saving.register_keras_serializable("tests")
class Friendly(Method):
    """`ascents.Friendly(0.5, 0.75)`."""

    def init(self, weights):
        return [keras.ops.zeros_like(w) for w in weights]

    def __call__(self, evaluate, weights, memory, now):
        clean = evaluate(weights)
        pairs = list(zip(memory, clean.gradients))
        memory = [0.75 * m + 0.25 * g for m, g in pairs]
        new = [g - 0.5 * m for m, (_, g) in zip(memory, pairs)]
        return clean, evaluate(up(weights, new, now.rho)).gradients, memory


@keras.saving.register_keras_serializable("tests")
class Half(Method):
    """`schedules.Fraction(0.5)`."""

    def __call__(self, evaluate, weights, memory, now):
        def half(batch):
            return keras.tree.map_structure(
                lambda t: None if t is None else t[: t.shape[0] // 2], batch
            )

        some = evaluate(weights, rows=half)
        there = evaluate(up(weights, some.gradients, now.rho))
        return there, there.gradients, memory


@keras.saving.register_keras_serializable("tests")
class SecondOrder(Method):
    """`second_order=True`."""

    def __call__(self, evaluate, weights, memory, now):
        def at(weights):
            return up(weights, evaluate(weights).gradients, now.rho)

        clean = evaluate(weights)
        return clean, evaluate(weights, at=at).gradients, memory

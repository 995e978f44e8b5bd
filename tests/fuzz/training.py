"""How a network is trained: values that hypothesis draws, and what is made of them."""

import dataclasses

import keras
import numpy as np
from hypothesis import strategies as st

from keras_sam import ascents
from tests import rules
from tests.helpers import BACKEND
from tests.optimizers import EXTRAS, OPTIMIZERS, optimizer
from tests.plain import MODES


@dataclasses.dataclass(frozen=True)
class Training:
    """How a network is compiled and fitted.

    Attributes:
        optimizer, extra: Strings, of `tests.optimizers`.
        mode: String, a key of `MODES`.
        policy: String, the dtype policy.
        n: Integer, the number of examples.
        batch_size: Integer.
        weighted: Bool, whether the examples have weights.
    """

    optimizer: str
    extra: str
    mode: str
    policy: str
    n: int
    batch_size: int
    weighted: bool

    def compile(self, model, network):
        chosen = optimizer(self.optimizer, **EXTRAS[self.extra])
        model.compile(chosen, network.losses, **MODES[self.mode])
        return model

    def fit(self, model, network, **kwargs):
        x, y = network.data(self.n)
        weights = None
        if self.weighted:
            weights = np.random.default_rng(1).uniform(size=self.n).astype("float32")
            weights = [weights] * len(network.heads) if len(network.heads) > 1 else weights
        kwargs = {"epochs": 2, "batch_size": self.batch_size, "verbose": 0, **kwargs}
        return model.fit(x, y, sample_weight=weights, **kwargs).history


POLICIES = ["float32", "float32", "mixed_bfloat16", "mixed_float16"]


def exact(mode):
    """Whether two programs that do the same round alike in it."""
    compiled = "steps_per_execution" in mode and BACKEND == "jax"
    return not (compiled or MODES[mode].get("jit_compile"))


@st.composite
def trainings(draw, modes=tuple(MODES)):
    """Where XLA may round otherwise, by what makes little of that. Half precision and
    optimizers that divide by the size of the gradient make much of it. So these modes are
    drawn half as often."""
    mode = draw(st.sampled_from([*modes, *filter(exact, modes)]))
    optimizers, policies = (OPTIMIZERS, POLICIES) if exact(mode) else (["SGD"], ["float32"])
    return Training(
        optimizer=draw(st.sampled_from(sorted(optimizers))),
        extra=draw(st.sampled_from(sorted(EXTRAS))),
        mode=mode,
        policy=draw(st.sampled_from(policies)),
        n=draw(st.integers(5, 20)),
        batch_size=draw(st.integers(2, 8)),
        weighted=draw(st.booleans()),
    )


@st.composite
def settings(draw):
    """Arguments of a `SAMModel`, as a dict of names, for `made`."""
    return {
        "m": draw(st.none() | st.integers(1, 8)),
        "rho": draw(st.sampled_from([1e-3, 0.05, 0.5])),
        "ascent": draw(st.sampled_from(sorted(rules.ASCENTS))),
        "descent": draw(st.sampled_from(sorted(rules.DESCENTS))),
        "schedule": draw(st.sampled_from(sorted(rules.SCHEDULES))),
    }


def made(names, training):
    m = names["m"] and min(names["m"], training.batch_size, training.n)
    parts = {name: names[name] for name in ("ascent", "descent", "schedule")}
    return {"rho": names["rho"], "m": m, **rules.rules(**parts)}


def possible(names):
    return rules.possible(names["ascent"], names["descent"], names["schedule"])


@st.composite
def balls(draw):
    """Arguments of a step that remembers nothing: its radius, p, and what it perturbs."""
    return {
        "rho": draw(st.floats(1e-3, 1.0)),
        "p": draw(st.sampled_from([1, 1.5, 2, 3, float("inf")])),
        "variables": draw(st.sampled_from([None, "kernel", keras.layers.Dense])),
    }


def ball(rho, p, variables):
    return {"rho": rho, "ascent": ascents.LpBall(p, variables=variables)}

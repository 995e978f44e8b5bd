"""A sharpness-aware step of each network."""

import keras
import numpy as np
import pytest
from architectures.efficientnet import B7, L2, efficientnet

import keras_sam
from tests.helpers import BACKEND, array
from tests.reproduce.networks import LARGE, SHALLOW

slow = pytest.mark.slow


def check_a_step(model):
    """Each weight moves, so that none of the network is left out."""
    model = keras_sam.SAMModel.from_model(model)
    model.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=BACKEND == "tensorflow",
    )
    shape = (2, *model.input.shape[1:])
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    before = [array(v) for v in model.trainable_variables]
    logs = model.train_on_batch(x, np.array([0, 1]), return_dict=True)
    assert np.isfinite([logs["loss"], logs["sharpness"]]).all()
    for variable, old in zip(model.trainable_variables, before):
        assert np.isfinite(array(variable)).all(), variable.path
        assert (array(variable) != old).any(), variable.path


def steps():
    """On JAX, where it takes long to compile, one of them."""
    for name, make in SHALLOW.items():
        marks = slow if BACKEND == "jax" and name != "wide" else ()
        yield pytest.param(make, id=name, marks=marks)
    tiny = {**B7, "width": 0.1, "depth": 0.3, "dropout": 0.0}
    variants = {"tiny": tiny, "B7": B7, "L2": L2}
    for name, variant in variants.items():
        variant = {**variant, "resolution": 64, "classes": 4, "drop_connect": 0.0}
        marks = slow if BACKEND == "jax" or name != "tiny" else ()
        yield pytest.param(lambda v=variant: efficientnet(**v), id=name, marks=marks)


@pytest.mark.parametrize("make", list(steps()))
def test_a_step(make):
    check_a_step(make())


@slow
@pytest.mark.parametrize("make, _", [p for p in LARGE if "," not in p.id])
def test_a_step_of_the_papers_networks(make, _):
    check_a_step(make())

"""Models of which both passes share a part, with and without sharing."""

import keras
import numpy as np
from keras import layers, ops

import keras_sam
from keras_sam import ascents
from keras_sam._step.rules import Rules
from tests.helpers import (
    assert_identical,
    state,
)
from tests.models import classify, random_images

HEAD = ascents.LpBall(variables="(top|last)")


class Adds(layers.Layer):
    """Adds to the loss, and counts its calls."""

    calls = 0

    def call(self, x):
        type(self).calls += 1
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        return x


class Inner(Adds):
    """The same on the trunk's side."""


def network(side=8):
    """Dropout, batch norm, regularizers and added losses on either side of the cut."""
    inputs = keras.Input((side, side, 1))
    x = layers.Conv2D(4, 3, kernel_regularizer="l2", activity_regularizer="l1")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.3, seed=1)(Inner()(layers.ReLU()(x)))
    skip = layers.Flatten()(x)
    x = layers.Dense(6, name="top", kernel_regularizer="l2")(skip)
    x = layers.Dropout(0.3, seed=2)(Adds()(layers.BatchNormalization(name="top_norm")(x)))
    return inputs, layers.Dense(3, name="last")(layers.Concatenate()([x, skip * 0.5]))


def sharp(rho=0.5, ascent=HEAD, **settings):
    return keras_sam.SAMModel(*network(), rho=rho, ascent=ascent, **settings)


def trained(make, monkeypatch, share, fit=None, **mode):
    with monkeypatch.context() as patch:
        if not share:
            patch.setattr(Rules, "can_share", lambda self, trunk: False)
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = make()
        if not model.compiled:
            classify(model, **mode)
        fit = fit or {}
        x, y = random_images(24)
        if len(model.inputs) == 2:
            x, y = [x, x[::-1]], [np.eye(3)[y], np.ones((24, 4))]
        fit = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0} | fit
        history = model.fit(x, y, **fit).history
    return model, history


def assert_shared_is_unshared(make, monkeypatch, stands=True, **kwargs):
    found = []
    for share in (True, False):
        model, history = trained(make, monkeypatch, share, **kwargs)
        found.append([*state(model), *map(np.array, history.values())])
        assert model._sharpness_aware.trunk.stands is (stands if share else None)
    assert_identical(*found, rtol=2e-5)

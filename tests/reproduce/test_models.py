"""What is trained: weight decay, clipping, the cosine, and which ascent."""

import dataclasses

import keras
import numpy as np
import pytest
from architectures.small import small
from models import add_weight_decay, compiled
from optimizers import optimizer
from settings import Settings

from keras_sam import SAMModel, ascents
from tests.helpers import array, only_on
from tests.replicas import mirrored

SETTINGS = Settings(dataset="cifar10", batch_size=4, learning_rate=0.1, epochs=1)


def settings(**changes):
    return dataclasses.replace(SETTINGS, **changes)


def test_the_weight_decay_is_in_the_loss_of_every_trained_weight():
    network = small((8, 8, 1), 10, width=4)
    add_weight_decay(network, 0.02)
    kinds = {variable.name for variable in network.trainable_variables}
    assert kinds == {"kernel", "bias", "gamma", "beta"}
    expected = [0.01 * np.square(array(v)).sum() for v in network.trainable_variables]
    np.testing.assert_allclose(sum(map(array, network.losses)), sum(expected), rtol=1e-5)


def test_the_loss_at_the_perturbed_weights_has_it_too():
    network = small((8, 8, 1), 10, width=4)
    model = compiled(network, settings(weight_decay=0.02, rho=0.1), 10, steps=10)
    assert len(model.losses) == len(model.trainable_variables)


@pytest.mark.parametrize("rho, kind", [(0, False), (0.1, True)])
def test_without_rho_the_model_is_a_plain_one(rho, kind):
    network = small((8, 8, 1), 10, width=4)
    model = compiled(network, settings(rho=rho, m=2), 10, steps=10)
    assert isinstance(model, SAMModel) is kind
    if kind:
        assert model.rho == rho and model.m == 2


@pytest.mark.parametrize(
    "changes, kind, attributes",
    [
        ({}, ascents.LpBall, {"p": 2, "steps": 1}),
        ({"p": np.inf, "ascent_steps": 3}, ascents.LpBall, {"p": np.inf, "steps": 3}),
        ({"ascent": "adaptive"}, ascents.Adaptive, {"p": 2}),
        ({"ascent": "random"}, ascents.RandomDirection, {}),
    ],
)
def test_the_ascent(changes, kind, attributes):
    model = compiled(small((8, 8, 1), 10, width=4), settings(**changes), 10, steps=10)
    assert type(model.ascent) is kind
    for name, value in attributes.items():
        assert getattr(model.ascent, name) == value


def test_the_learning_rate_falls_to_0_with_the_last_step():
    rates = optimizer(settings(), steps=100)
    schedule = rates.get_config()["learning_rate"]["config"]
    assert schedule["initial_learning_rate"] == 0.1 and schedule["decay_steps"] == 100
    assert rates.nesterov and rates.momentum == 0.9
    assert isinstance(optimizer(settings(optimizer="adam"), 1), keras.optimizers.Adam)


@only_on("tensorflow", "Only its strategies clip on each replica.")
@pytest.mark.parametrize("clip", [0, 1.0, 100.0])
def test_replicas_clip_their_mean_gradient(clip):
    import tensorflow as tf

    gradients = np.array([[3.0, 5.0], [5.0, -1.0]], "float32")  # Of two replicas.
    strategy = mirrored(2)
    with strategy.scope():
        weight = keras.Variable(np.zeros(2, "float32"))
        steps = optimizer(settings(clip=clip, learning_rate=1.0), 10**6, replicas=2)
        steps.build([weight])

    @tf.function
    def step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        steps.apply([tf.gather(gradients, replica) / 2], [weight])

    strategy.run(step)
    mean = gradients.mean(0)
    if clip:
        mean *= min(1, clip / np.linalg.norm(mean))
    # Nesterov's first step goes 1 + 0.9 times as far.
    np.testing.assert_allclose(array(weight), -1.9 * mean, rtol=1e-5)

"""Models with a `train_step` of their own, which asks for a gradient for each network."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sam
from tests.helpers import BACKEND, array, assert_identical

RHO, RATE = 0.3, 0.1
bce = keras.losses.BinaryCrossentropy(from_logits=True)


def dense(inputs, *units):
    stack = [layers.Dense(n, activation="tanh") for n in units[:-1]]
    return keras.Sequential([keras.Input((inputs,)), *stack, layers.Dense(units[-1])])


class Own(keras.Model):
    """What a user writes for `fit` on TensorFlow and PyTorch."""

    def train_step(self, data):
        return self.step(*data)

    def apply(self, optimizer, gradients, variables):
        optimizer.apply_gradients(zip(gradients, variables))


class GAN(Own):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = dense(2, 4, 3), dense(3, 4, 1)
        self.grad_d = keras_sam.value_and_grad(self.loss_d, self.discriminator, rho=RHO)
        self.grad_g = keras_sam.value_and_grad(self.loss_g, self.generator, rho=RHO)
        self.optimizers = [keras.optimizers.SGD(RATE) for _ in range(2)]
        self.built = True

    def loss_d(self, real, fake):
        logits = self.discriminator(ops.concatenate([real, fake]))
        labels = [ops.ones_like(real[:, :1]), ops.zeros_like(fake[:, :1])]
        return bce(ops.concatenate(labels), logits)

    def loss_g(self, z):
        logits = self.discriminator(self.generator(z))
        return bce(ops.ones_like(logits), logits)

    def step(self, real, z):
        d = self.grad_d(real, ops.stop_gradient(self.generator(z)))
        self.apply(self.optimizers[0], d.gradients, self.grad_d.variables)
        g = self.grad_g(z)
        self.apply(self.optimizers[1], g.gradients, self.grad_g.variables)
        return {"d": d.loss, "g": g.loss}


class Distiller(Own):
    def __init__(self, teacher, student):
        super().__init__()
        self.teacher, self.student = teacher, student
        self.grad = keras_sam.value_and_grad(self.loss_of, student, rho=RHO)
        self.optimizers = [keras.optimizers.SGD(RATE)]
        self.built = True

    def loss_of(self, x, target):
        return ops.mean((self.student(x, training=True) - target) ** 2)

    def step(self, x, _):
        result = self.grad(x, self.teacher(x))
        self.apply(self.optimizers[0], result.gradients, self.grad.variables)
        return {"loss": result.loss}


def train(model, networks, *data):
    """One epoch of one batch. On JAX it is a loop: its `fit` has one optimizer."""
    for optimizer, network in zip(model.optimizers, networks):
        optimizer.build(network.trainable_weights)
    if BACKEND != "jax":
        model.compile()
        return model.fit(*data, batch_size=len(data[0]), shuffle=False, verbose=0)
    import jax

    def apply(optimizer, gradients, variables):
        slots = optimizer.variables
        weights, values = optimizer.stateless_apply(
            [v.value for v in slots], gradients, [v.value for v in variables]
        )
        for variable, value in [*zip(variables, weights), *zip(slots, values)]:
            variable.assign(value)

    model.apply = apply
    variables = [v for n in model.layers for v in n.variables]
    variables += [v for optimizer in model.optimizers for v in optimizer.variables]

    @jax.jit
    def step(values, *data):
        with keras.StatelessScope(zip(variables, values)) as scope:
            model.step(*data)
        return [scope.get_current_value(v) for v in variables]

    for variable, value in zip(variables, step([v.value for v in variables], *data)):
        variable.assign(value)


def by_sam_model(network, loss, *data):
    """The weights after a step of a `SAMModel`, of which the network is left as it was."""
    before = network.get_weights()
    model = keras_sam.SAMModel.from_model(network, rho=RHO)
    model.compile(keras.optimizers.SGD(RATE), loss)
    model.train_on_batch(*data)
    after = [array(w) for w in model.trainable_weights]
    network.set_weights(before)
    return after


def weights(network):
    return [array(w) for w in network.trainable_weights]


def test_a_gan():
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    real, z = (rng.normal(size=(6, n)).astype("float32") for n in (3, 2))
    gan = GAN()
    generator, discriminator = gan.generator, gan.discriminator
    both = np.concatenate([real, array(generator(z))])
    labels = np.array([1.0] * 6 + [0.0] * 6)[:, None]
    start = discriminator.get_weights()
    expected_d = by_sam_model(discriminator, bce, both, labels)
    # The generator's step sees the discriminator after its own.
    discriminator.set_weights(expected_d)
    discriminator.trainable = False
    joined = keras.Sequential([generator, discriminator])
    expected_g = by_sam_model(joined, bce, z, np.ones((6, 1)))
    discriminator.trainable = True
    discriminator.set_weights(start)

    train(gan, [discriminator, generator], real, z)
    assert_identical(weights(discriminator), expected_d, rtol=1e-6)
    assert_identical(weights(generator), expected_g, rtol=1e-6)


def test_a_distiller():
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    distiller = Distiller(dense(3, 8, 2), dense(3, 4, 2))
    teacher = distiller.teacher.get_weights()
    expected = by_sam_model(distiller.student, "mse", x, array(distiller.teacher(x)))
    train(distiller, [distiller.student], x, np.zeros(6))
    assert_identical(weights(distiller.student), expected, rtol=1e-6)
    assert_identical(distiller.teacher.get_weights(), teacher)


def test_the_error_names_this_way():
    class Plain(keras.Model):
        def train_step(self, data):
            return {}

    with pytest.raises(ValueError, match=r"keras_sam\.value_and_grad"):

        class Sharp(keras_sam.SharpnessAware, Plain):
            pass

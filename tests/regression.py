"""A regression network with batch norm, and its gradients by hand."""

import keras
import numpy as np
from keras import layers

INF = float("inf")

RHO, RATE, L2 = 0.25, 0.125, 0.0625  # exact in every float


def steepest(gradients, p, rho):
    """The paper's Eq. 2, and its limits at p = 1 and p = inf."""
    g = np.concatenate([np.ravel(a) for a in gradients])
    if p == INF:
        eps = rho * np.sign(g)
    elif p == 1:
        eps = rho * np.sign(g) * (np.abs(g) == np.abs(g).max())
    else:
        q = p / (p - 1)
        eps = rho * np.sign(g) * np.abs(g) ** (q - 1) / (np.abs(g) ** q).sum() ** (1 / p)
    sizes = np.cumsum([a.size for a in gradients])[:-1]
    return [e.reshape(a.shape) for e, a in zip(np.split(eps, sizes), gradients)]


def data(n=6):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)), rng.normal(size=(n, 2)), rng.uniform(0.5, 2, n)


class Normalized:
    """Dense without bias, batch norm, mean squared error: its gradients by hand."""

    epsilon, momentum = 0.001, 0.75

    def __init__(self, kernel, gamma, beta):
        self.weights = [kernel, gamma, beta]

    def error(self, weights, x, y, sample_weight):
        """The derivative of the loss by the predictions at these weights."""
        self.loss_and_gradients(weights, x, y, sample_weight)
        return self.d

    def loss_and_gradients(self, weights, x, y, sample_weight, d=None):
        kernel, gamma, beta = weights
        h = x @ kernel
        self.mean, self.variance = h.mean(0), h.var(0)
        inverse = 1 / np.sqrt(self.variance + self.epsilon)
        unit = (h - self.mean) * inverse
        error = unit * gamma + beta - y
        n, width = y.shape
        loss = (sample_weight * (error**2).mean(1)).mean() + L2 * (kernel**2).sum()
        self.d = 2 * error * sample_weight[:, None] / (n * width)
        d = self.d if d is None else d
        dh = gamma * inverse * (d - d.mean(0) - unit * (d * unit).mean(0))
        gradients = [x.T @ dh + 2 * L2 * kernel, (d * unit).sum(0), d.sum(0)]
        return loss, gradients


def network():
    inputs = keras.Input((4,))
    x = layers.Dense(2, use_bias=False, kernel_regularizer=keras.regularizers.L2(L2))(
        inputs
    )
    outputs = layers.BatchNormalization(
        epsilon=Normalized.epsilon, momentum=Normalized.momentum
    )(x)
    return inputs, outputs

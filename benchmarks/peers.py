"""What a sharpness-aware step costs here, and in the libraries that others use.

    python benchmarks/peers.py --backend=jax

The same network, batch and optimizer, stepped in turn: by plain `fit`, by keras_sam, and by
optax.contrib.sam on JAX, by pytorch_optimizer's SAM on PyTorch and by tf_keras's
SharpnessAwareMinimization on TensorFlow, whose plain step is timed too, as its layers are
those of Keras 2. The figures are the medians over the rounds.
"""

import functools
import itertools
import time

import keras
import numpy as np
from absl import app
from step_networks import NETWORKS
from step_time import FLAGS, MODES, Run, on_backend

RHO, RATE, MOMENTUM = 0.05, 0.01, 0.9


def batch(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(FLAGS.batch_size, *shape)).astype("float32")
    return x, rng.integers(0, 10, FLAGS.batch_size)


class Optax:
    """`optax.contrib.sam` in its opaque mode, around Keras's functions of a model."""

    name = "optax"

    def __init__(self, network, mode):
        import jax
        import optax

        model = keras.Model(*NETWORKS[network](keras))
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        adversary = optax.chain(optax.contrib.normalize(), optax.sgd(RHO))
        optimizer = optax.contrib.sam(
            optax.sgd(RATE, MOMENTUM), adversary, opaque_mode=True
        )

        def loss(weights, others, x, y):
            y_pred, others = model.stateless_call(weights, others, x, training=True)
            return loss_of(y, y_pred), others

        def step(weights, others, state, x, y):
            gradient = jax.value_and_grad(loss, has_aux=True)
            (value, after), g = gradient(weights, others, x, y)
            updates, state = optimizer.update(
                g, state, weights, grad_fn=lambda w, _: gradient(w, others, x, y)[1]
            )
            return value, optax.apply_updates(weights, updates), after, state

        weights = [v.value for v in model.trainable_variables]
        others = [v.value for v in model.non_trainable_variables]
        self.state = weights, others, optimizer.init(weights)
        self.data = tuple(map(jax.numpy.asarray, batch(model.input_shape[1:])))
        self.compiled = jax.jit(step, donate_argnums=(0, 1, 2))
        self.wait = jax.block_until_ready

    def step(self):
        _, *self.state = self.compiled(*self.state, *self.data)
        return self.state

    def end(self, result):
        self.wait(result)


class TfKeras:
    """The class of Keras 2, in its package for newer versions of TensorFlow."""

    name = "tf_keras"

    def __init__(self, network, mode, sharp=True):
        import tensorflow as tf
        import tf_keras

        model = tf_keras.Model(*NETWORKS[network](tf_keras))
        shape = model.input_shape[1:]
        if sharp:
            model = tf_keras.models.experimental.SharpnessAwareMinimization(model, rho=RHO)
        model.compile(
            tf_keras.optimizers.SGD(RATE, momentum=MOMENTUM),
            tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=mode == "jit",
        )
        self.compiled = model.make_train_function()
        self.data = iter(tf.data.Dataset.from_tensors(batch(shape)).repeat())

    def step(self):
        return self.compiled(self.data)

    def end(self, result):
        float(result["loss"])


class PytorchOptimizer:
    """`pytorch_optimizer.SAM`, around a Keras model on PyTorch."""

    name = "pytorch_optimizer"

    def __init__(self, network, mode):
        import torch
        from pytorch_optimizer import SAM

        self.model = keras.Model(*NETWORKS[network](keras))
        parameters = [v.value for v in self.model.trainable_variables]
        self.optimizer = SAM(
            parameters, torch.optim.SGD, rho=RHO, lr=RATE, momentum=MOMENTUM
        )
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        data = batch(self.model.input_shape[1:])
        self.data = tuple(map(keras.ops.convert_to_tensor, data))

    def step(self):
        x, y = self.data
        for move in (self.optimizer.first_step, self.optimizer.second_step):
            loss = self.loss(y, self.model(x, training=True))
            loss.backward()
            move(zero_grad=True)
        return loss

    def end(self, result):
        result.item()


PEERS = {"jax": Optax, "tensorflow": TfKeras, "torch": PytorchOptimizer}


def seconds_per_step(peer):
    start = time.perf_counter()
    for _ in range(FLAGS.steps):
        result = peer.step()
    peer.end(result)
    return (time.perf_counter() - start) / FLAGS.steps


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    print(on_backend())
    kind = PEERS[FLAGS.backend]
    print(
        f"| network | mode | plain ms | keras_sam ms | {kind.name} ms | ratio | its plain |"
    )
    print("|---" * 7 + "|")
    modes = FLAGS.mode or MODES[FLAGS.backend]
    for network, mode in itertools.product(FLAGS.network, modes):
        plain, ours = (Run(name, network, mode) for name in ("plain", "sam"))
        peers = [kind(network, mode)]
        if kind is TfKeras:  # The others step Keras's own network.
            peers.append(TfKeras(network, mode, sharp=False))
        calls = [plain.seconds_per_step, ours.seconds_per_step]
        calls += [functools.partial(seconds_per_step, peer) for peer in peers]
        for call in calls * 2:
            call()
        times = np.array([[call() for call in calls] for _ in range(FLAGS.rounds)])
        medians = [f"{1000 * ms:.1f}" for ms in np.median(times, axis=0)]
        ratio = f"{np.median(times[:, 1] / times[:, 2]):.3f}"
        row = network, mode, *medians[:3], ratio, *(medians[3:] or [""])
        print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    app.run(main)

"""What a product with the Hessian costs, against a gradient, and what eigenvalues take.

    KERAS_BACKEND=jax python benchmarks/analysis.py

Products and gradients are taken in turn, on one batch; the figure is the median over the
rounds of the ratio of their times. Then the five largest eigenvalues: of the network of the
digits, on 1,000 of them, and of a network of 25 million weights, on 256 rows.
"""

import time

import digits
import keras
import numpy as np
import step_time
from absl import app, flags
from keras import ops

from keras_sam import analysis
from keras_sam.analysis._loss import Loss

FLAGS = flags.FLAGS
flags.DEFINE_integer("products", 15, "Rounds of a product and a gradient.", lower_bound=1)
flags.DEFINE_bool("large", True, "Whether to take the network of 25 million weights, too.")


def compiled(network):
    model = keras.Model(*network)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    return model


def timed(fn):
    start = time.perf_counter()
    tensors = fn()
    ops.convert_to_numpy(ops.sum(tensors[-1]))  # Until it is there.
    return time.perf_counter() - start


def ratio(name):
    """Of the times of a product and of a gradient on a batch."""
    model = compiled(step_time.NETWORKS[name]())
    rng = np.random.default_rng(0)
    shape = (FLAGS.batch_size, *model.input_shape[1:])
    data = rng.normal(size=shape).astype("float32"), rng.integers(0, 10, shape[0]), None
    loss = Loss(model, data, shape[0])
    vectors = [ops.ones_like(w) for w in loss.weights]

    def gradient():
        return loss.gradient(loss.weights)[1]

    def product():
        return loss.product(vectors)

    for fn in (gradient, product):
        timed(fn)
    ratios = [timed(product) / timed(gradient) for _ in range(FLAGS.products)]
    low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(f"| {name} | {loss.how} | {median:.2f} ({low:.2f} to {high:.2f}) |", flush=True)


def eigenvalues(name, model, x, y):
    start = time.perf_counter()
    found = analysis.hessian_eigenvalues(model, x, y, batch_size=256, verbose=0)
    seconds = time.perf_counter() - start
    values = ", ".join(f"{value:.3g}" for value in found.values)
    weights = f"{model.count_params():,}"
    cells = [name, weights, str(found.products), f"{seconds:.0f} s", values]
    print(f"| {' | '.join(cells)} |", flush=True)


def main(_):
    print("| network | how | product / gradient |\n|---|---|---|")
    for name in step_time.NETWORKS:
        ratio(name)
    print("\n| network | weights | products | time | eigenvalues |\n|---|---|---|---|---|")
    (x, y), _, _ = digits.load_data(noise=0.0)
    model = compiled(digits.build_network())
    model.fit(x, y, epochs=5, verbose=0)
    eigenvalues("digits", model, x[:1000], y[:1000])
    if FLAGS.large:
        inputs = keras.Input((784,))
        wide = keras.layers.Dense(4096, "relu")(keras.layers.Dense(4850, "relu")(inputs))
        model = compiled((inputs, keras.layers.Dense(250)(wide)))
        rng = np.random.default_rng(0)
        x = rng.normal(size=(256, 784)).astype("float32")
        eigenvalues("mlp", model, x, rng.integers(0, 10, 256))


if __name__ == "__main__":
    app.run(main)

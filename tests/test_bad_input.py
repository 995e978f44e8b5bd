"""A clear error for each mistake, early, and nothing lost. (For rho: `test_rho`.)"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_sam
from tests.conftest import BACKEND, assert_identical, classify, cnn, only_on, state


@pytest.mark.parametrize("model", [None, "model", 3, layers.Dense, lambda x: x])
def test_from_model_wants_a_keras_model(model):
    message = r"`model` must be a `keras.Model`.*Received: model="
    with pytest.raises(ValueError, match=message):
        keras_sam.SAMModel.from_model(model)


def test_from_model_wants_a_plain_model():
    with pytest.raises(ValueError, match="not sharpness-aware already"):
        keras_sam.SAMModel.from_model(keras_sam.SAMModel(*cnn()))


@pytest.mark.parametrize("ascent", ["l2", 2, {}])
def test_an_ascent_that_is_none(ascent):
    with pytest.raises(ValueError, match=r"`ascent` must be .* Received: ascent="):
        keras_sam.SAMModel(*cnn(), ascent=ascent)


def test_unknown_settings():
    with pytest.raises(ValueError, match=r"Unrecognized .* Received: epsilon=0.1"):
        keras_sam.SAMModel(*cnn(), epsilon=0.1)
    with pytest.raises(TypeError, match="epsilon"):
        keras_sam.SAMModel.from_model(keras.Model(*cnn()), epsilon=0.1)


def test_an_uncompiled_model(images):
    model = keras_sam.SAMModel(*cnn())
    ways = [model.fit, model.train_on_batch, lambda x, y: model.train_step((x, y))]
    if BACKEND == "jax":
        del ways[2]  # It takes the optimizer's variables, and there is no optimizer.
    for train in ways:
        with pytest.raises(ValueError, match=r"You must call `compile\(\)`"):
            train(*images)


def test_a_model_that_cannot_be_built(images):
    class Net(keras_sam.SAMModel):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x):
            raise KeyError("on purpose")

    with pytest.raises(RuntimeError, match="Unable to automatically build the model"):
        classify(Net()).fit(*images, verbose=0)


def test_a_model_without_trainable_weights(images):
    inputs = keras.Input((8, 8, 1))
    outputs = layers.Lambda(lambda x: x[:, 0, :3, 0])(inputs)
    model = classify(keras_sam.SAMModel(inputs, outputs))
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        logs = model.fit(*images, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    frozen = keras_sam.SAMModel(*cnn())
    frozen.trainable = False
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        classify(frozen).fit(*images, verbose=0)


class Captures(layers.Layer):
    """Its weight is captured in a custom gradient, where only a variable is seen."""

    def build(self, shape):
        self.w = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        @tf.custom_gradient
        def scaled(x):
            def gradient(dy, variables=None):
                if variables is None:
                    return dy * self.w
                return dy * self.w, [tf.reduce_sum(dy * x)]

            return x * self.w, gradient

        return scaled(x)


class CapturesRegularized(Captures):
    """As above, and its regularizer does have a gradient."""

    def build(self, shape):
        self.w = self.add_weight(shape=(), initializer="ones", regularizer="l2")


class Compiled(layers.Layer):
    def build(self, shape):
        self.dense = layers.Dense(3)
        self.dense.build(shape)

    @tf.function
    def call(self, x):
        return self.dense(x)


class AssignsInALoop(layers.Layer):
    def build(self, shape):
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        def body(i):
            self.count.assign_add(1.0)
            return [i + 1]

        tf.while_loop(lambda i: i < 3, body, [tf.constant(0)])
        return x


@only_on("tensorflow", "There are no graphs on the other backends.")
@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize(
    "layer, message",
    [
        (Captures, r"hides them.*weights=\['captures/variable'\]"),
        (CapturesRegularized, r"hides.*weights=\['captures_regularized/variable'\]"),
        (Compiled, r"hides them.*weights=\['compiled/.*kernel', 'compiled/.*bias'\]"),
    ],
)
def test_weights_that_the_step_cannot_reach(images, layer, message, eagerly):
    inputs, outputs = cnn()
    model = keras_sam.SAMModel(inputs, layer()(outputs))
    classify(model, run_eagerly=eagerly)
    model.optimizer.build(model.trainable_weights)
    before = state(model)
    with pytest.raises(ValueError, match=message):
        model.fit(*images, verbose=0)
    assert_identical(state(model)[: len(before)], before)


@only_on("tensorflow", "There are no graphs on the other backends.")
@pytest.mark.parametrize("eagerly", [False, True])
def test_tensors_kept_from_one_pass_to_the_next(images, eagerly):
    class Net(keras_sam.SAMModel):
        def build(self, shape):
            self.dense = layers.Dense(3)
            self.dense.build((None, 64))

        def call(self, x):
            return self.inner(x)

        @tf.function
        def inner(self, x):
            return self.dense(tf.reshape(x, (-1, 64)))

    model = Net()
    model.build((None, 8, 8, 1))
    classify(model, run_eagerly=eagerly)
    before = model.get_weights()
    with pytest.raises(ValueError, match="in one pass of the step and none in the other"):
        model.fit(*images, batch_size=50, verbose=0)
    assert_identical(model.get_weights(), before)


@only_on("tensorflow", "There are no graphs on the other backends.")
def test_an_assignment_in_an_inner_graph(images):
    inputs, outputs = cnn()
    model = classify(keras_sam.SAMModel(inputs, AssignsInALoop()(outputs)))
    with pytest.raises(ValueError, match=r"assigns a variable inside.*Received: variable="):
        model.fit(*images, verbose=0)
    classify(model, run_eagerly=True).fit(*images, batch_size=50, verbose=0)
    assert float(model.layers[-1].count.value) == 3.0


@pytest.mark.parametrize(
    "code, message",
    [
        (
            "import keras; keras.backend.backend = lambda: 'numpy'",
            "Received: backend=numpy",
        ),
        (f"import sys; sys.modules['{BACKEND}'] = None", "pip install 'keras_sam["),
        ("import sys; sys.modules['keras'] = None", "pip install 'keras_sam["),
    ],
)
def test_import_says_what_is_missing(code, message):
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport keras_sam"],
        env={**os.environ, "KERAS_BACKEND": BACKEND},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: keras_sam")
    assert message in last


@pytest.mark.parametrize("m", [0, -4, 2.5, 4.0, True, "all", [4], np.float32(4)])
def test_an_m_that_is_none(m):
    with pytest.raises(ValueError, match=r"`m` must be a positive integer.*Received: m="):
        keras_sam.SAMModel(*cnn(), m=m)


def test_an_m_of_numpy():
    assert keras_sam.SAMModel(*cnn(), m=np.int64(4)).m == 4


@pytest.mark.parametrize("source", ["arrays", "dataset", "batch"])
def test_an_m_above_the_batch_of_one_device(images, source):
    model = classify(keras_sam.SAMModel(*cnn(), m=32))
    model.optimizer.build(model.trainable_weights)
    before = state(model)
    message = "Received: m=32, with 16 examples on each replica and 1 replica"
    with pytest.raises(ValueError, match=message):
        if source == "arrays":
            model.fit(*images, batch_size=16, verbose=0)
        elif source == "dataset":
            data = tf.data.Dataset.from_tensor_slices(images).batch(16)
            model.fit(data, shuffle=False, verbose=0)
        else:
            model.train_on_batch(*(a[:16] for a in images))
    assert_identical(state(model)[: len(before)], before)
    model.evaluate(*images, batch_size=8, verbose=0)
    model.fit(*images, batch_size=32, verbose=0)


def test_groups_of_a_sum(images):
    model = keras_sam.SAMModel(*cnn(), m=4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    model.compile("sgd", loss)
    with pytest.raises(ValueError, match=r"a mean over examples.*reduction=sum"):
        model.fit(*images, verbose=0)


def test_groups_with_a_state_for_each_example():
    inputs = keras.Input(batch_shape=(8, 5, 2))
    layer = layers.LSTM(3, stateful=True, name="memory")
    model = keras_sam.SAMModel(inputs, layer(inputs), m=4)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="layer=memory with stateful=True"):
        model.fit(np.ones((8, 5, 2)), np.ones((8, 3)), batch_size=8, verbose=0)


def test_groups_of_an_output_without_rows():
    inputs = keras.Input((4,))
    outputs = layers.Lambda(keras.ops.mean)(layers.Dense(2)(inputs))
    model = keras_sam.SAMModel(inputs, outputs, m=4)
    model.compile("sgd", lambda y, y_pred: y_pred)
    with pytest.raises(ValueError, match=r"each output .* a row for each example.*\(\)"):
        model.fit(np.ones((8, 4)), np.ones(8), batch_size=8, verbose=0)


def test_groups_that_assign_different_variables():
    class Fickle(layers.Layer):
        def build(self, shape):
            self.states = [self.add_weight(trainable=False, name=f"s{i}") for i in "ab"]
            self.calls = 0

        def call(self, x):
            self.calls += 1
            self.states[self.calls // 3 % 2].assign(1.0)
            return x

    inputs = keras.Input((4,))
    model = keras_sam.SAMModel(inputs, Fickle()(layers.Dense(2)(inputs)), m=4)
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ValueError, match=r"each group .* the same variables"):
        model.fit(np.ones((16, 4)), np.ones((16, 2)), batch_size=16, verbose=0)

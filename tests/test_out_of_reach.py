"""An error, not a wrong gradient, where the step does not reach a weight."""

import pytest
from keras import layers

import keras_sam
from tests.helpers import assert_identical, only_on, state
from tests.models import classify, cnn

tf = pytest.importorskip("tensorflow")


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

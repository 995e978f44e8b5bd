"""How often TensorFlow makes the graph of a step, for which the first step waits."""

import keras
import pytest
from keras import layers

import keras_sam
from tests.helpers import assert_identical, only_on
from tests.models import classify, cnn, random_images, rows
from tests.replicas import mirrored

pytestmark = only_on("tensorflow", "The others have no graphs of TensorFlow's.")


class Counting(keras_sam.SAMModel):
    traces = 0

    def train_step(self, data):
        self.traces += 1
        return super().train_step(data)


@pytest.mark.parametrize("train", ["fit", "train_on_batch"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_once(optimizer, train):
    model = classify(Counting(*cnn(), rho=0.1), optimizer)
    for _ in range(2):
        getattr(model, train)(*random_images(16))
    assert model.traces == 1


def test_once_for_each_replica():
    strategy = mirrored(2)
    with strategy.scope():
        model = classify(Counting(*cnn(), rho=0.1), "adam")
    model.fit(*random_images(16), batch_size=8, epochs=2)
    assert model.traces == 2


@pytest.mark.skipif(
    not hasattr(keras.optimizers, "ScheduleFreeAdamW"), reason="A newer Keras has it."
)
def test_what_an_optimizer_begins_with_is_assigned_once():
    """Its momentum begins at the weights."""
    weights = []
    for eager in (True, False):
        keras.utils.set_random_seed(1)
        optimizer = keras.optimizers.ScheduleFreeAdamW(0.01)
        inputs = keras.Input((8,))
        outputs = layers.Dense(3)(layers.Dense(4, "tanh")(inputs))
        model = keras_sam.SAMModel(inputs, outputs)
        classify(model, optimizer, run_eagerly=eager)
        model.fit(*rows(16), batch_size=4, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    assert_identical(*weights, rtol=1e-5)


class Counted(keras.metrics.Metric):
    """How many steps there were, with a variable that the first of them creates."""

    count = None

    def update_state(self, y_true, y_pred, sample_weight=None):
        if self.count is None:
            self.count = self.add_variable((), "zeros", name="count")
            self.count.assign(5.0)
        self.count.assign_add(1.0)

    def result(self):
        return self.count.value


@pytest.mark.parametrize("cls", [Counting, keras.Model])
def test_what_a_metric_begins_with_is_not_assigned_in_each_step(cls):
    """Plain training forgets it with its first graph."""
    model = cls(*cnn())
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[Counted(name="steps")])
    logs = model.fit(*random_images(16), batch_size=4, verbose=0).history
    assert logs["steps"] == [4.0]


class Late(layers.Layer):
    """Draws from the global seed, which is not there before the first step."""

    def call(self, x, training=False):
        return x + keras.random.normal(keras.ops.shape(x)) if training else x


def test_twice_where_the_passes_create_a_variable():
    """Both must see it: the second pass draws what the first one drew."""
    inputs, outputs = cnn()
    model = classify(Counting(inputs, Late()(outputs), rho=0.0))
    logs = model.fit(*random_images(16), batch_size=8, verbose=0).history
    assert model.traces == 2
    assert abs(logs["sharpness"][0]) < 1e-6

"""How often TensorFlow makes the graph of a step, for which the first step waits."""

import keras
import pytest
from keras import layers

import keras_sam
from tests.helpers import only_on
from tests.models import classify, cnn, random_images
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

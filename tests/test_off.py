"""Sharpness-aware training is never off without a word. (A wrong rho: `test_watch`.)"""

import keras
import pytest

import keras_sam
from tests.models import classify, rows, small


def inner(**kwargs):
    return keras_sam.SAMModel(*small(), name="inner", **kwargs)


def around(model, cls=keras.Model):
    inputs = keras.Input((8,))
    return classify(cls(inputs, keras.layers.Dense(3)(model(inputs)), name="outer"))


def test_a_layer_of_a_plain_model():
    outer = around(inner())
    with pytest.warns(UserWarning, match="A plain model has .*`inner` as a layer"):
        outer.fit(*rows(), verbose=0)
    outer.fit(*rows(), verbose=0)  # Said once.


def test_a_layer_of_one_whose_call_has_no_argument_training():
    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = inner()

        def call(self, inputs):
            return self.inner(inputs)

    outer = classify(Outer())
    outer.evaluate(*rows(), verbose=0)
    outer.predict(rows()[0], verbose=0)
    with pytest.warns(UserWarning, match="A plain model has .*`inner` as a layer"):
        outer.fit(*rows(), verbose=0)


def test_a_layer_that_is_not_trained_or_trained_by_its_own_fit():
    frozen = inner()
    frozen.trainable = False
    around(frozen).fit(*rows(), verbose=0)
    around(inner(), keras_sam.SAMModel).fit(*rows(), verbose=0)
    alone = classify(inner())
    outer = around(alone)
    alone.fit(*rows(), verbose=0)
    outer.evaluate(*rows(), verbose=0)
    outer.predict(rows()[0], verbose=0)
    alone(rows()[0], training=True)


def test_a_step_of_another_kind():
    class Plain(keras.Model):
        def train_step(self, *args):
            return keras.Model.train_step(self, *args)

    class Other(Plain, keras_sam.SAMModel):
        pass

    class Ends(keras_sam.SAMModel):
        def train_step(self, *args):
            return super().train_step(*args)

    model = classify(Other(*small()))
    with pytest.warns(UserWarning, match="`fit` of `Other` took no sharpness-aware step"):
        model.fit(*rows(), epochs=2, verbose=0)
    model = classify(Ends(*small(), rho=0.5))
    for _ in range(2):
        assert model.fit(*rows(), verbose=0).history["sharpness"][0] > 0

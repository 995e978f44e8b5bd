"""At rho = 0, the plain fit bit for bit: whatever the loss is."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.helpers import BACKEND, without_a_gradient
from tests.models import classify, cnn
from tests.plain import assert_like_plain, fit


def test_several_inputs_and_outputs_in_dicts():
    def make(cls):
        a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
        h = layers.Dropout(0.2)(layers.Concatenate()([a, b]))
        outputs = {"c": layers.Dense(2, name="c")(h), "d": layers.Dense(1, name="d")(h)}
        model = cls({"a": a, "b": b}, outputs)
        model.compile(
            "adam",
            {"c": "mse", "d": "mae"},
            loss_weights={"c": 0.3, "d": 2.0},
            metrics={"d": ["mse"]},
        )
        return model

    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(40, 4)), "b": rng.normal(size=(40, 3))}
    y = {"c": rng.normal(size=(40, 2)), "d": rng.normal(size=(40, 1))}
    weight = {"c": rng.uniform(size=40), "d": rng.uniform(size=40)}
    assert_like_plain(make, fit(x, y, sample_weight=weight))


class Extras(layers.Layer):
    """A loss, a metric and a seed of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed = keras.random.SeedGenerator(3)
        self.mean = keras.metrics.Mean(name="extra")

    def call(self, x):
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        if BACKEND != "jax":  # There, plain Keras fails with a layer's metric.
            self.mean.update_state(ops.mean(x))
        return x + keras.random.normal(ops.shape(x), seed=self.seed)


def test_losses_and_metrics_of_layers(images):
    def make(cls):
        inputs, outputs = cnn()
        x = layers.Dense(5, activity_regularizer="l2", bias_regularizer="l1")(outputs)
        return classify(cls(inputs, layers.Dense(3)(Extras()(x))))

    assert_like_plain(make, fit(*images))


@pytest.mark.parametrize("takes_training", [True, False])
def test_overridden_compute_loss(images, takes_training):
    def make(cls):
        class Own(cls):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(3)
                self.own = keras.metrics.Mean(name="own")

            def call(self, x):
                return self.dense(layers.Flatten()(x))

            if takes_training:

                def compute_loss(self, x, y, y_pred, sample_weight, training=True):
                    return self.of(y, y_pred)

            else:

                def compute_loss(self, x, y, y_pred, sample_weight):
                    return self.of(y, y_pred)

            def of(self, y, y_pred):
                loss = keras.losses.sparse_categorical_crossentropy(
                    y, y_pred, from_logits=True
                )
                self.own.update_state(loss)
                return ops.mean(loss)

            def reset_metrics(self):
                self.own.reset_state()

            @property
            def metrics(self):
                return [self.own]

        model = Own()
        model.compile("adam")
        return model

    assert_like_plain(make, fit(*images))


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("loss", [None, "c"])
def test_predictions_without_a_loss(loss, gradient):
    """Weights that serve only these have no gradient, and are not hidden for that."""

    def make(cls):
        inputs = keras.Input((4,))
        h = Extras()(layers.Dense(3)(inputs))
        d = layers.Dense(2, kernel_regularizer="l2")(layers.Dense(2)(h))
        if not gradient:
            d = layers.Lambda(ops.stop_gradient, output_shape=(2,))(d)
        model = cls(inputs, {"c": layers.Dense(1, name="c")(h), "d": d})
        model.compile("sgd", {"c": "mse", "d": None} if loss else None)
        return model

    rng = np.random.default_rng(0)
    y = {"c": rng.normal(size=(40, 1)), "d": rng.normal(size=(40, 2))} if loss else None
    with without_a_gradient():
        assert_like_plain(make, fit(rng.normal(size=(40, 4)), y))

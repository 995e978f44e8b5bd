"""`fit` sees the batches of all epochs in their order, on each backend."""

import keras
import numpy as np
import pytest
from data import small_images

from tests.helpers import array
from tests.reproduce import tiny

STEPS = 3


def model():
    layers = keras.layers
    result = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    result.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    result.set_weights([np.full(w.shape, 0.01) for w in result.get_weights()])
    return result


def training(epochs, first_epoch=0):
    return small_images.training(
        tiny.small(), batch_size=6, epochs=epochs, seed=3, first_epoch=first_epoch
    )


def fit(model, epochs, first_epoch=0, **kwargs):
    return model.fit(
        training(epochs, first_epoch),
        epochs=epochs,
        initial_epoch=first_epoch,
        steps_per_epoch=STEPS,
        shuffle=False,
        verbose=0,
        **kwargs,
    )


@pytest.fixture(scope="module")
def whole():
    result = model()
    fit(result, 4)
    return [array(w) for w in result.weights]


def test_fit_sees_each_batch_once_in_order(whole):
    by_batch = model()
    for images, labels in training(4).as_numpy_iterator():
        by_batch.train_on_batch(images, labels)
    for a, b in zip(whole, by_batch.weights):
        np.testing.assert_allclose(a, array(b), rtol=1e-5, atol=1e-6)


def test_training_that_resumes_is_training_that_never_stopped(whole):
    resumed = model()
    fit(resumed, 2)
    fit(resumed, 4, first_epoch=2)
    for a, b in zip(whole, resumed.weights):
        np.testing.assert_array_equal(a, array(b))


def test_validation_in_fit(whole):
    evaluation = small_images.evaluation(tiny.small(), 4)
    history = fit(model(), 2, validation_data=evaluation).history
    assert len(history["val_accuracy"]) == 2

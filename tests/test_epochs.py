"""The epoch's number: counted while `fit` runs, whatever callbacks it is given."""

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import schedules
from tests.helpers import assert_identical
from tests.models import classify, cnn, rows, small


def late(**kwargs):
    """Climbs from epoch 1 on."""
    keras.utils.set_random_seed(1)
    schedule = schedules.Between(1, unit="epochs")
    return classify(keras_sam.SAMModel(*cnn(seed=1), rho=0.5, schedule=schedule), **kwargs)


def listed(model, **kwargs):
    callbacks = [keras.callbacks.TerminateOnNaN()]
    return keras.callbacks.CallbackList(callbacks, model=model, **kwargs)


@pytest.mark.parametrize("positional", [False, True])
def test_a_callback_list(images, positional):
    """Keras takes it as it is. Given twice, it is the same list twice."""
    x, y = images
    expected = late()
    logs = expected.fit(x, y, 16, 2, 0, shuffle=False).history
    model = late()
    callbacks = listed(model, add_history=True)
    before = list(callbacks.callbacks)
    given = ("callbacks",) if not positional else ()
    arguments = dict(zip(given, [callbacks]))
    rest = () if given else (callbacks,)
    history = model.fit(x, y, 16, 2, 0, *rest, shuffle=False, **arguments).history
    assert history == logs and logs["sharpness"][0] == 0 < logs["sharpness"][1]
    assert callbacks.callbacks == before
    assert_identical(model.get_weights(), expected.get_weights())
    model.fit(x, y, 16, 2, 0, *rest, **arguments)
    assert callbacks.callbacks == before


def test_a_fit_that_passes_its_keywords_on(images):
    class Base(keras.Model):
        def fit(self, *args, **kwargs):
            return super().fit(*args, **kwargs)

    class Net(keras_sam.SharpnessAware, Base):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            return self.dense(keras.ops.reshape(x, (-1, 64)))

    model = classify(Net(schedule=schedules.Between(1, unit="epochs")))
    sharpness = model.fit(*images, epochs=2, verbose=0).history["sharpness"]
    assert sharpness[0] == 0 != sharpness[1]


class Interrupts(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyError("on purpose")


@pytest.mark.parametrize("interrupted", [False, True])
def test_it_is_epoch_0_after_fit(images, interrupted):
    model = late()
    model.fit(*images, epochs=2, verbose=0)
    if interrupted:
        with pytest.raises(KeyError):
            model.fit(*images, initial_epoch=1, epochs=2, callbacks=Interrupts(), verbose=0)
    logs = model.train_on_batch(*images, return_dict=True)
    assert logs["sharpness"] == 0
    history = model.fit(*images, initial_epoch=1, epochs=2, verbose=0).history
    assert np.all(np.array(history["sharpness"]) != 0)


def test_epochs_are_those_of_fit():
    class Seen(schedules.Schedule):
        def climbs(self, time, gradients, memory):
            return time.epoch == 3, memory

    model = classify(keras_sam.SAMModel(*small(), schedule=Seen()))
    history = model.fit(*rows(), initial_epoch=1, epochs=5, verbose=0).history
    assert [value != 0 for value in history["sharpness"]] == [False, False, True, False]

"""Losses that would be others group by group are refused, masks among them."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.helpers import BACKEND
from tests.models import classify, cnn
from tests.plain import assert_like_plain


def tokens():
    x = np.random.default_rng(0).integers(0, 3, (16, 5))
    return x, np.ones((16, 5, 2), "float32")


def masked(cls=keras_sam.SAMModel, pooled=False, **settings):
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(4, 2, mask_zero=True)(inputs)
    model = cls(inputs, layers.GlobalAveragePooling1D()(x) if pooled else x, **settings)
    model.compile("sgd", "mse")
    return model


def test_a_mask():
    model = masked(m=4)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"in groups .*cannot have a mask.*Received: "):
        model.fit(*tokens(), batch_size=8, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_a_mask_that_no_prediction_has():
    x, y = tokens()
    logs = masked(pooled=True, m=4).fit(x, y[:, 0], batch_size=8, verbose=0).history
    assert np.isfinite(logs["loss"]).all()


def test_a_mask_in_a_loop():
    model = masked(keras.Model)
    x, y = map(keras.ops.convert_to_tensor, tokens())
    loss = keras.losses.MeanSquaredError()
    grad = keras_sam.value_and_grad(
        lambda x, y: loss(y, keras_sam.predictions(model(x))), model, m=4
    )
    with pytest.raises(ValueError, match=r"in groups .*cannot have a mask.*Received: "):
        grad(x, y)


def test_a_mask_without_groups():
    def fit(model):
        return model.fit(*tokens(), batch_size=8, verbose=0).history

    # XLA rounds the weighted mean of the two passes otherwise.
    assert_like_plain(masked, fit, rtol=1e-6 if BACKEND == "jax" else 0.0)


def test_a_mean_by_the_weights(images):
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    model = keras_sam.SAMModel(*cnn(), m=4)
    model.compile("sgd", loss)
    with pytest.raises(ValueError, match=r"a mean over examples.*mean_with_sample_weight"):
        model.fit(*images, verbose=0)


def test_inputs_that_are_missing():
    """Keras says what it misses, and not that the data have ended."""
    messages = []
    for cls in (keras.Model, keras_sam.SAMModel):
        keras.backend.clear_session()
        model = classify(cls(*cnn()))
        with pytest.raises(Exception) as raised:
            model.train_on_batch([None], np.zeros(4, "int32"))
        messages.append(str(raised.value).splitlines()[0])
        assert not isinstance(raised.value, StopIteration)
    assert messages[0] == messages[1]

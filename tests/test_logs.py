"""The sharpness in the logs."""

import keras

import keras_sam
from tests.models import classify, cnn


def test_sharpness_is_in_the_logs_of_training_only(images):
    model = classify(keras_sam.SAMModel(*cnn()))
    history = model.fit(*images, validation_data=images, verbose=0).history
    assert set(history) == {"loss", "accuracy", "sharpness", "val_loss", "val_accuracy"}
    assert set(model.evaluate(*images, verbose=0, return_dict=True)) == {"loss", "accuracy"}
    assert len(model.evaluate(*images, verbose=0)) == 2
    assert len(model.test_on_batch(*images)) == 2
    assert "sharpness" in model.fit(*images, verbose=0).history


def test_sharpness_is_shown_where_metrics_is_overridden(images):
    class Own(keras_sam.SAMModel):
        @property
        def metrics(self):
            return []

    model = classify(Own(*cnn(), rho=0.5))
    assert model.fit(*images, verbose=0).history["sharpness"][0] > 0
    # Nothing resets it, so that it cannot be a mean over the epoch.
    model.rho = 0.0
    assert model.fit(*images, verbose=0).history["sharpness"] == [0.0]


def test_sharpness_is_the_mean_over_the_examples_of_the_epoch(images):
    model = classify(keras_sam.SAMModel(*cnn()), keras.optimizers.SGD(0.0))
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(logs["sharpness"]))

    history = model.fit(*images, batch_size=40, epochs=2, verbose=0, callbacks=[Watch()])
    assert history.history["sharpness"] == [seen[1], seen[3]]
    assert len(set(seen)) == 4

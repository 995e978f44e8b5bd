"""Files of weights: the plain model's, and what is remembered."""

import keras

import keras_sam
from keras_sam import ascents, schedules
from tests.helpers import array, assert_identical
from tests.models import classify, rows, small


def test_what_is_remembered_is_no_weight_of_the_model():
    plain, model = (
        keras.Model(*small()),
        keras_sam.SAMModel(
            *small(), ascent=ascents.Momentum(), schedule=schedules.Every(2, reuse=0.5)
        ),
    )
    classify(model)
    model.fit(*rows(), batch_size=8, verbose=0)
    assert model.count_params() == plain.count_params()
    assert [w.shape for w in model.weights] == [w.shape for w in plain.weights]


def test_weights_files_have_it_and_a_plain_model_reads_them(tmp_path):
    def make(cls=keras_sam.SAMModel, **settings):
        model = classify(cls(*small(), **settings))
        model.optimizer.build(model.trainable_variables)  # Or Keras loads no slots.
        return model

    models = [make(ascent=ascents.Averaged(0.2)) for _ in range(2)]
    models[0].fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    models[0].save_weights(tmp_path / "model.weights.h5")
    models[1].load_weights(tmp_path / "model.weights.h5")
    plain = make(keras.Model)
    plain.load_weights(tmp_path / "model.weights.h5")
    assert_identical(plain.get_weights(), models[0].get_weights())
    seeds = [v for v in models[0].variables if "seed" in v.path]
    for a, b in zip(seeds, [v for v in models[1].variables if "seed" in v.path]):
        b.assign(array(a))
    for model in models:
        model.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
    assert_identical(models[1].get_weights(), models[0].get_weights(), rtol=1e-6)

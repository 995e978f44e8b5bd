"""What the parts of a step are given, and what of them is saved."""

import keras
import numpy as np

import keras_sam
from keras_sam import ascents, descents, schedules
from tests.conftest import BACKEND, array, assert_identical, classify, without_a_gradient
from tests.small import rows, small


def test_a_random_direction_has_norm_rho_and_is_another_each_step():
    seen = []

    class Seen(ascents.RandomDirection):
        def __call__(self, weights, gradients, rho):
            eps = super().__call__(weights, gradients, rho)
            seen.append([array(e) for e in eps])
            return eps

    model = keras_sam.SAMModel(*small(), rho=0.3, ascent=Seen(seed=1))
    classify(model, **({} if BACKEND == "torch" else {"run_eagerly": True}))
    for _ in range(3):
        model.train_on_batch(*rows(8))
    seen = [np.concatenate([e.ravel() for e in eps]) for eps in seen]
    np.testing.assert_allclose([np.linalg.norm(e) for e in seen], 0.3, rtol=1e-5)
    products = np.array(seen) @ np.array(seen).T / 0.09
    assert abs(products - np.eye(len(seen))).max() < 0.5


def test_models_of_different_weights_may_have_the_same_ascent():
    def make(ascent, units):
        inputs = keras.Input((8,))
        x = keras.layers.Dense(units, use_bias=units > 3)(inputs)
        model = keras_sam.SAMModel(inputs, keras.layers.Dense(3)(x), ascent=ascent)
        return classify(model, **({} if BACKEND == "torch" else {"run_eagerly": True}))

    results = []
    for shared in (True, False):
        keras.utils.set_random_seed(0)
        ascent = ascents.Adaptive(eta=0)
        models = [make(ascent if shared else ascents.Adaptive(eta=0), u) for u in (4, 2)]
        for model in 2 * models:
            model.train_on_batch(*rows(8))
        results.append([w for model in models for w in model.get_weights()])
    assert_identical(results[0], results[1])


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


def test_a_step_that_overflows_is_forgotten():
    keras.config.set_dtype_policy("mixed_float16")
    model = keras_sam.SAMModel(*small(), ascent=ascents.Friendly())
    classify(model, keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))
    x, y = rows(8)
    model.train_on_batch(x, y)
    before = [array(v) for v in model._sharpness_aware.memory.all]
    assert all(np.isfinite(v).all() for v in before) and any(v.any() for v in before)
    model.train_on_batch(x * np.float32(1e30), y)
    after = [array(v) for v in model._sharpness_aware.memory.all]
    assert all(np.isfinite(v).all() for v in after)


def test_what_is_remembered_does_not_depend_on_the_loss_scale():
    results = []
    for scale in (1.0, 1024.0):
        keras.utils.set_random_seed(0)
        optimizer = keras.optimizers.SGD(0.1, loss_scale_factor=scale)
        model = keras_sam.SAMModel(
            *small(), ascent=ascents.Friendly(), schedule=schedules.Adaptive(0.2)
        )
        classify(model, optimizer)
        model.fit(*rows(), batch_size=8, shuffle=False, verbose=0)
        memory = [array(v) for v in model._sharpness_aware.memory.all]
        results.append(model.get_weights() + memory)
    assert_identical(results[1], results[0], rtol=1e-4)


def test_rho_follows_the_learning_rate():
    rho = schedules.RhoByLearningRate(0.02, 0.1, lr_max=0.2, lr_min=0.04)
    model = keras_sam.SAMModel(*small(), rho=rho)
    fixed = keras_sam.SAMModel(*small())
    fixed.set_weights(model.get_weights())
    for each in (model, fixed):
        classify(each, keras.optimizers.SGD(0.2))
    for rate, expected in ((0.2, 0.1), (0.12, 0.06), (0.04, 0.02)):
        fixed.rho = expected
        for each in (model, fixed):
            each.optimizer.learning_rate = rate
            each.train_on_batch(*rows(8))
        assert_identical(model.get_weights(), fixed.get_weights(), rtol=1e-5)
    config = keras.saving.serialize_keras_object(rho)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == rho.get_config()


def test_epochs_are_those_of_fit():
    class Seen(schedules.Schedule):
        def climbs(self, time, gradients, memory):
            return time.epoch == 3, memory

    model = classify(keras_sam.SAMModel(*small(), schedule=Seen()))
    history = model.fit(*rows(), initial_epoch=1, epochs=5, verbose=0).history
    assert [value != 0 for value in history["sharpness"]] == [False, False, True, False]


def test_a_weight_without_a_gradient_has_one_of_zeros_and_stays():
    seen = []

    class Seen(ascents.Ascent):
        def __call__(self, weights, gradients, rho):
            seen.append([array(g) for g in gradients])
            return [keras.ops.ones_like(w) for w in weights]

    class Net(keras_sam.SAMModel):
        def build(self, shape):
            self.unused = self.add_weight(shape=(2,), name="unused")
            self.used = self.add_weight(shape=(8, 3), name="used")

        def call(self, x):
            return x @ self.used

    model = Net(ascent=Seen(), descent=descents.Weighted())
    classify(model, **({} if BACKEND == "torch" else {"run_eagerly": True}))
    with without_a_gradient():
        model.train_on_batch(*rows(8))
    (gradients,) = seen
    np.testing.assert_array_equal(gradients[0], np.zeros(2))
    assert gradients[1].any()


@keras.saving.register_keras_serializable("tests")
def is_bias(variable):
    return variable.name == "bias"


def test_a_selection_is_serialized():
    rules = [keras.layers.BatchNormalization, "dense_1/", is_bias]
    ascent = ascents.Momentum(variables=rules)
    config = keras.saving.serialize_keras_object(ascent)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config()["variables"].get_config() == {
        "layers": ["BatchNormalization"],
        "paths": ["dense_1/"],
        "functions": [is_bias],
    }

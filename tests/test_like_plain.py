"""At rho = 0 a sharpness-aware `fit` is the plain one, bit for bit, whatever is in it."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_sam
from tests.conftest import (
    BACKEND,
    array,
    assert_identical,
    assert_like_plain,
    classify,
    cnn,
    state,
    trained,
    without_a_gradient,
)

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.9),
    "adagrad": lambda: keras.optimizers.Adagrad(0.01),
    "adadelta": lambda: keras.optimizers.Adadelta(1.0),
    "adamax": lambda: keras.optimizers.Adamax(0.01),
    "adafactor": lambda: keras.optimizers.Adafactor(0.01),
    "nadam": lambda: keras.optimizers.Nadam(0.01),
    "ftrl": lambda: keras.optimizers.Ftrl(0.01),
    "lion": lambda: keras.optimizers.Lion(0.001),
    "lamb": lambda: keras.optimizers.Lamb(0.01),
    "clipvalue": lambda: keras.optimizers.SGD(0.1, clipvalue=0.01),
    "clipnorm": lambda: keras.optimizers.SGD(0.1, clipnorm=0.01),
    "global_clipnorm": lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.01),
    "ema": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=3),
    "accumulation": lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(0.1, 12)
    ),
    "loss_scale": lambda: keras.optimizers.SGD(0.1, loss_scale_factor=8.0),
}

# XLA compiles the two steps as different programs, and may fuse a sum of one of them in
# another order: there the equality is one of float32 rounding.
ROUNDING = {"graph": 0.0, "eager": 0.0, "jit": 1e-5}

MODES = {
    "graph": {},
    "eager": {"run_eagerly": True},
    "jit": {"jit_compile": True},
    "steps_per_execution": {"steps_per_execution": 3},
    "unrolled": {"steps_per_execution": 3, "jit_compile": True},
}
if BACKEND == "torch":
    MODES = {"eager": {}}  # For torch.compile there is `test_torch`.
if BACKEND == "jax":
    del MODES["graph"], MODES["unrolled"]


def fit(x, y=None, **kwargs):
    kwargs = {"batch_size": 16, "epochs": 2, "verbose": 0, **kwargs}
    return lambda model: model.fit(x, y, **kwargs).history


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("sgd", "adamw") else pytest.mark.slow)
        for name in OPTIMIZERS
    ],
)
def test_every_optimizer(images, name):
    assert_like_plain(lambda cls: classify(cls(*cnn()), OPTIMIZERS[name]()), fit(*images))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode(images, mode):
    assert_like_plain(lambda cls: classify(cls(*cnn()), **MODES[mode]), fit(*images))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_every_precision(images, policy):
    keras.config.set_dtype_policy(policy)
    assert_like_plain(lambda cls: classify(cls(*cnn())), fit(*images))


@pytest.mark.slow
def test_weights_of_samples_and_classes(images):
    x, y = images
    weight = np.random.default_rng(1).uniform(size=len(x))
    assert_like_plain(
        lambda cls: classify(cls(*cnn()), weighted_metrics=["accuracy"]),
        fit(x, y, sample_weight=weight),
    )
    assert_like_plain(
        lambda cls: classify(cls(*cnn())), fit(x, y, class_weight={0: 1.0, 1: 3.0, 2: 0.5})
    )


@pytest.mark.slow
def test_validation_and_callbacks(images):
    x, y = images
    assert_like_plain(
        lambda cls: classify(cls(*cnn())),
        lambda model: fit(
            x,
            y,
            validation_split=0.2,
            callbacks=[
                keras.callbacks.ReduceLROnPlateau(patience=1),
                keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
            ],
        )(model),
    )


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.x[i * 16 : (i + 1) * 16], self.y[i * 16 : (i + 1) * 16]


@pytest.mark.slow
def test_every_source_of_data(images):
    def generator():
        while True:
            for i in range(4):
                yield Batches(*images)[i]

    generated = {"batch_size": None, "steps_per_epoch": 4, "shuffle": False}
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(16)
    for source in (
        fit(dataset, batch_size=None, shuffle=False),
        fit(Batches(*images), batch_size=None),
        lambda model: fit(generator(), **generated)(model),
    ):
        assert_like_plain(lambda cls: classify(cls(*cnn())), source)


def test_train_on_batch(images):
    def train(model):
        for i in range(3):
            logs = model.train_on_batch(images[0][i:], images[1][i:], return_dict=True)
        return logs

    model = assert_like_plain(lambda cls: classify(cls(*cnn())), train)
    loss, accuracy = model.train_on_batch(*images)
    assert np.isfinite([loss, accuracy]).all()


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


@pytest.mark.slow
def test_embedding_masking_and_recurrence():
    def make(cls):
        inputs = keras.Input((7,), dtype="int32")
        x = layers.Embedding(11, 6, mask_zero=True)(inputs)
        x = layers.Bidirectional(layers.LSTM(5, dropout=0.2, recurrent_dropout=0.2))(x)
        return classify(cls(inputs, layers.Dense(3)(x)), "adam")

    rng = np.random.default_rng(0)
    assert_like_plain(make, fit(rng.integers(0, 11, (40, 7)), rng.integers(0, 3, 40)))


@pytest.mark.skipif(BACKEND == "torch", reason="Plain Keras fails: it writes a state.")
@pytest.mark.parametrize("mode", sorted(MODES.keys() & ROUNDING.keys()))
def test_stateful_recurrence(mode):
    def make(cls):
        inputs = keras.Input(batch_shape=(8, 5, 4))
        x = layers.GRU(6, stateful=True)(inputs)
        return classify(cls(inputs, layers.Dense(3)(x)), **MODES[mode])

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 5, 4)), rng.integers(0, 3, 32)
    train = fit(x, y, batch_size=8, shuffle=False)
    model = assert_like_plain(make, train, ROUNDING[mode])
    if BACKEND != "jax":  # There, Keras's `fit` forgets the states.
        assert np.any(array(model.layers[1].states[0]))


class GlobalNoise(layers.Layer):
    """Draws from Keras's global seed, and would freeze if nobody moved it."""

    def call(self, x, training=None):
        return x + keras.random.normal(ops.shape(x)) if training else x


@pytest.mark.parametrize("mode", sorted(MODES.keys() & ROUNDING.keys()))
def test_global_seed(images, mode):
    if (BACKEND, mode) == ("jax", "jit"):
        pytest.skip("Keras has an error for it there.")

    def make(cls):
        inputs, outputs = cnn()
        return classify(cls(inputs, GlobalNoise()(outputs)), **MODES[mode])

    model = assert_like_plain(make, fit(*images), ROUNDING[mode])
    first, second = (array(model(images[0], training=True)) for _ in range(2))
    assert np.any(first != second)


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


def test_frozen_layers_and_weights_without_a_gradient(images):
    def make(cls):
        class Net(cls):
            def __init__(self):
                super().__init__()
                self.frozen = layers.Dense(6, trainable=False)
                self.norm = layers.BatchNormalization(trainable=False)
                self.dense = layers.Dense(3)
                self.unused = self.add_weight(shape=(2,), name="unused")

            def call(self, x):
                return self.dense(self.norm(self.frozen(layers.Flatten()(x))))

        return classify(Net())

    with without_a_gradient():
        assert_like_plain(make, fit(*images))


def test_a_layer_that_assigns_its_weights(images):
    def make(cls):
        inputs = keras.Input((8, 8, 1))
        x = layers.SpectralNormalization(layers.Conv2D(4, 3))(inputs)
        x = layers.Flatten()(x)
        return classify(cls(inputs, layers.SpectralNormalization(layers.Dense(3))(x)))

    assert_like_plain(make, fit(*images))


@pytest.mark.slow
def test_attention_and_noise(images):
    def make(cls):
        inputs = keras.Input((8, 8, 1))
        x = layers.RandomTranslation(0.1, 0.1)(layers.RandomFlip()(inputs))
        x = layers.GaussianNoise(0.1)(layers.Reshape((8, 8))(x))
        x = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
        x = layers.LayerNormalization()(x)
        x = layers.TimeDistributed(layers.Dropout(0.1))(x)
        return classify(cls(inputs, layers.Dense(3)(layers.Flatten()(x))), "adam")

    assert_like_plain(make, fit(*images))


@pytest.mark.slow
def test_float8():
    def make(cls):
        inputs = keras.Input((16,))
        dense = layers.Dense(16)
        outputs = layers.Dense(3)(dense(inputs))
        dense.quantize("float8")
        return classify(cls(inputs, outputs), keras.optimizers.SGD(0.0))

    rng = np.random.default_rng(0)
    train = fit(rng.normal(size=(48, 16)), rng.integers(0, 3, 48), shuffle=False)
    plain = state(assert_like_plain(make, train))
    # The scales follow the clean pass, whatever rho is; nothing else moves at this rate.
    model, _ = trained(lambda: make(functools.partial(keras_sam.SAMModel, rho=10.0)), train)
    assert_identical(state(model), plain)


def test_a_model_that_fit_builds(images):
    def make(cls):
        class Net(cls):
            def __init__(self):
                super().__init__()
                self.stack = keras.Sequential(
                    [layers.Flatten(), layers.Dense(5), layers.BatchNormalization()]
                )
                self.head = layers.Dense(3)

            def call(self, x, training=None):
                return self.head(self.stack(x, training=training))

        return classify(Net())

    for mode in MODES.keys() & {"graph", "eager"}:
        assert_like_plain(
            lambda cls, mode=mode: classify(make(cls), **MODES[mode]), fit(*images)
        )

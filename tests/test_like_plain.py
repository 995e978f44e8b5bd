"""At rho = 0 a sharpness-aware `fit` is the plain one, bit for bit, whatever is in it."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from tests.helpers import assert_identical, dataset, state
from tests.models import classify, cnn
from tests.optimizers import EXTRAS, OPTIMIZERS, begins_right, optimizer
from tests.plain import MODES, assert_like_plain, fit, trained

# The others are long tests.
SHORT = ["SGD", "AdamW", "Adafactor", "MultiOptimizer"]


def test_all_optimizers_are_here():
    """An optimizer that Keras gets is one more line."""
    found = {n: c for n, c in vars(keras.optimizers).items() if isinstance(c, type)}
    names = {n for n, c in found.items() if issubclass(c, keras.Optimizer)}
    assert names - {"Optimizer"} == set(OPTIMIZERS)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in SHORT else pytest.mark.slow)
        for name in OPTIMIZERS
    ],
)
def test_every_optimizer(images, name):
    mode = {} if begins_right(name, {}) else {"run_eagerly": True}
    assert_like_plain(
        lambda cls: classify(cls(*cnn()), optimizer(name), **mode), fit(*images)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra",
    [
        *EXTRAS.values(),
        {"momentum": 0.9, "nesterov": True},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 12)},
        {"loss_scale_factor": 8.0},
    ],
)
def test_what_an_optimizer_can_be_told(images, extra):
    arguments = {"learning_rate": 0.1, **extra}
    assert_like_plain(
        lambda cls: classify(cls(*cnn()), keras.optimizers.SGD(**arguments)), fit(*images)
    )


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
    for source in (
        fit(dataset(images, 16), batch_size=None, shuffle=False),
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

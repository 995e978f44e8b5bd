"""Makes the files in the folders beside this one, and the weights that training on gives.

They are what a version has written, for later ones to load: never made anew. Each folder is
named after the commit that wrote it, with Keras 3.10, which later ones can read, on JAX:

    KERAS_BACKEND=jax python -m tests.files.make by_573fc4a

Files of by_3cbdcf9 do not say whose memory they hold, and have none of a random direction.
"""

import pathlib
import sys
import zipfile

import keras
import numpy as np
from keras import layers

import keras_sam
from keras_sam import ascents, descents, schedules

HERE = pathlib.Path(__file__).parent
REGULARIZER = {"kernel_regularizer": keras.regularizers.L2(0.01)}
# It has a seed that moves, and drops nothing: backends draw other masks by one seed.
DROPOUT = {"rate": 1e-9, "seed": 1}


@keras.saving.register_keras_serializable("files")
class Net(keras.Model):
    """Keras makes its config, and adds what a subclass is made with."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(4, **REGULARIZER)
        self.norm = layers.BatchNormalization()
        self.dropout = layers.Dropout(**DROPOUT)
        self.second = layers.Dense(units)

    def call(self, x, training=None):
        x = self.norm(self.first(x), training=training)
        return self.second(self.dropout(x, training=training))


@keras.saving.register_keras_serializable("files")
class SharpNet(keras_sam.SharpnessAware, Net):
    pass


@keras.saving.register_keras_serializable("files")
class SharpTask(keras_sam.SAMModel):
    pass


@keras.saving.register_keras_serializable("files")
class SharpStack(keras_sam.SharpnessAware, keras.Sequential):
    pass


def stack():
    return [
        keras.Input((5,)),
        layers.Dense(4, **REGULARIZER),
        layers.BatchNormalization(),
        layers.Dropout(**DROPOUT),
        layers.Dense(3),
    ]


def tensors():
    model = keras.Sequential(stack())
    return model.inputs[0], model.outputs[0]


def from_model(model, **settings):
    model(np.zeros((1, 5)))
    return keras_sam.SAMModel.from_model(model, **settings)


def functional(**settings):
    return keras_sam.SAMModel(*tensors(), **settings)


FORMS = {
    "functional": functional,
    "functional_subclass": lambda **k: SharpTask(*tensors(), **k),
    "subclassed": lambda **k: SharpNet(**k),
    "sequential": lambda **k: SharpStack(stack(), **k),
    "from_functional": lambda **k: from_model(keras.Model(*tensors()), **k),
    "from_sequential": lambda **k: from_model(keras.Sequential(stack()), **k),
    "from_subclassed": lambda **k: from_model(Net(), **k),
}
MEMORIES = {
    "averaged": lambda: {"ascent": ascents.Averaged(0.25, variables="kernel")},
    "friendly": lambda: {"ascent": ascents.Friendly(0.5, 0.75)},
    "last": lambda: {"ascent": ascents.LastStep()},
    "momentum": lambda: {"ascent": ascents.Momentum(0.5)},
    "random": lambda: {"ascent": ascents.RandomDirection(seed=3)},
    "look": lambda: {"schedule": schedules.Every(2, reuse=0.5)},
    "adaptive": lambda: {"schedule": schedules.Adaptive(0.5)},
    "both": lambda: {
        "ascent": ascents.Friendly(variables=layers.Dense),
        "descent": descents.Stable(),
        "schedule": schedules.Adaptive(0.5),
        "m": 4,
    },
}
CASES = {
    **{form: lambda make=make: make(rho=0.3) for form, make in FORMS.items()},
    **{name: lambda p=p: functional(rho=0.2, **p()) for name, p in MEMORIES.items()},
    "from_model_friendly": lambda: FORMS["from_sequential"](**MEMORIES["friendly"]()),
}


def train(model):
    """Three steps, as many as LookSAM and a schedule need to do something else."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 5)).astype("float32"), rng.integers(0, 3, 24)
    return model.fit(x, y, batch_size=8, shuffle=False, verbose=0)


def _compress(path):
    """Keras stores the parts of a file as they are, which makes it ten times larger."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def _make(name, folder):
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    model = CASES[name]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    train(model)
    model.save(folder / f"{name}.keras")
    _compress(folder / f"{name}.keras")
    if name == "friendly":
        model.save_weights(folder / f"{name}.weights.h5")
    train(model)
    return np.concatenate([w.ravel() for w in model.get_weights()])


if __name__ == "__main__":
    folder = HERE / sys.argv[1]
    weights = {name: _make(name, folder) for name in CASES}
    np.savez_compressed(folder / "trained_on.npz", **weights)

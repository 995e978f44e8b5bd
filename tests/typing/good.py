"""A user's code in which mypy finds no mistake. It runs as it is."""

from typing import Any

import keras
import numpy as np

import keras_sam
from keras_sam import ascents, descents, schedules

rng = np.random.default_rng(0)
x, y = rng.normal(size=(8, 4)), rng.normal(size=(8, 1))
inputs = keras.Input((4,))
outputs = keras.layers.Dense(1)(inputs)

model = keras_sam.SAMModel(inputs, outputs, rho=0.05, m=4, name="functional")
model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
losses: list[float] = model.fit(x, y, epochs=2, verbose=0).history["loss"]
model.rho = 0.2
model.rho = schedules.RhoByLearningRate(0.02, 0.1, lr_max=0.1)
model.m = "global"
model.ascent = ascents.Adaptive()
m: int | str | None = model.m

plain = keras.Sequential([keras.layers.Dense(1)])
shared: keras_sam.SAMModel = keras_sam.SAMModel.from_model(plain, rho=0.1, m=None)
shared.compile("sgd", "mse")
shared.fit(x, y, verbose=0)


class Net(keras_sam.SAMModel):
    def __init__(self, units: int, rho: float = 0.05) -> None:
        super().__init__(rho=rho, second_order=True)
        self.dense = keras.layers.Dense(units)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


class SharpStack(keras_sam.SharpnessAware, keras.Sequential):
    pass


Net(3, rho=0.1)(x)
SharpStack([keras.layers.Dense(1)], rho=0.1, ascent=ascents.LastStep())


class Sparse(ascents.Ascent):
    def __call__(self, weights: list[Any], gradients: list[Any], rho: Any) -> list[Any]:
        return super().__call__(weights, [keras.ops.sign(g) for g in gradients], rho)


class Odd(schedules.Schedule):
    def climbs(self, time: Any, gradients: Any, memory: list[Any]) -> tuple[Any, list[Any]]:
        return time.iteration % 2 == 1, memory


def is_kernel(variable: keras.Variable) -> bool:
    return "kernel" in variable.name


radii: list[schedules.rho.Radius] = [
    1,
    keras.optimizers.schedules.CosineDecay(0.1, 100),
    schedules.RhoByLearningRate(0.02, 0.1, lr_max=0.1, lr_min=0),
    lambda: 0.1,
]
all_ascents: list[ascents.Ascent] = [
    ascents.LpBall(p=float("inf"), steps=2, variables="kernel$"),
    ascents.Adaptive(p=2, eta=0.01, variables=keras.layers.BatchNormalization),
    ascents.Friendly(sigma=1, lambda_=0.9, variables=is_kernel),
    ascents.Averaged(theta=0.4, variables=[keras.layers.Dense, "bias", is_kernel]),
    ascents.Momentum(momentum=0.9, variables=("kernel", "gamma")),
    ascents.LastStep(variables=None),
    ascents.Layerwise(fans=lambda variable: (1, 1), variables="kernel"),
    ascents.Preconditioned(beta=0.9, epsilon=1e-8, variables="kernel"),
    ascents.RandomDirection(seed=1),
    Sparse(variables="kernel"),
]
all_descents: list[descents.Descent] = [
    descents.Perturbed(),
    descents.GSAM(alpha=0.4),
    descents.Weighted(gamma=0.9),
    descents.Stable(),
]
all_schedules: list[schedules.Schedule] = [
    schedules.Schedule(fraction=0.5, reuse=0.7),
    schedules.Every(5, 0.7, fraction=0.5),
    schedules.Between(start=1, end=3, unit="epochs", fraction=0.5, reuse=0.7),
    schedules.Adaptive(c=0.5, decay=0.9, fraction=0.5, reuse=0.7),
    schedules.Fraction(0.25),
    Odd(),
]
for radius in radii:
    keras_sam.SAMModel(inputs, outputs, rho=radius)
for ascent in all_ascents:
    keras_sam.SAMModel(inputs, outputs, ascent=ascent)
for descent in all_descents:
    keras_sam.SAMModel(inputs, outputs, descent=descent)
for schedule in all_schedules:
    keras_sam.SAMModel(inputs, outputs, schedule=schedule)

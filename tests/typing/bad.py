"""A user's mistakes. mypy finds one in each line that is marked, and no other."""

import keras

import keras_sam
from keras_sam import SAMModel, ascents, descents, schedules

inputs = keras.Input((4,))
outputs = keras.layers.Dense(1)(inputs)
plain = keras.Model(inputs, outputs)

SAMModel(inputs, outputs, rho="0.1")  # error
SAMModel(inputs, outputs, rho=None)  # error
SAMModel(inputs, outputs, rho=ascents.LpBall())  # error
SAMModel(inputs, outputs, rho=schedules.Every(5))  # error
SAMModel(inputs, outputs, m=1.5)  # error
SAMModel(inputs, outputs, m=[4])  # error
SAMModel(inputs, outputs, ascent=descents.GSAM())  # error
SAMModel(inputs, outputs, ascent="adaptive")  # error
SAMModel(inputs, outputs, ascent=ascents.Adaptive)  # error
SAMModel(inputs, outputs, descent=schedules.Every(5))  # error
SAMModel(inputs, outputs, schedule=ascents.LastStep())  # error
SAMModel(inputs, outputs, schedule=schedules.RhoByLearningRate(0, 1, 1))  # error
SAMModel(inputs, outputs, second_order="no")  # error

SAMModel.from_model(plain, 0.1)  # error
SAMModel.from_model(plain, roh=0.1)  # error
SAMModel.from_model(plain, rho="0.1")  # error
SAMModel.from_model("plain", rho=0.1)  # error
SAMModel.from_model(plain, optimizer="sgd")  # error


class Net(SAMModel):
    def __init__(self) -> None:
        super().__init__(rho="0.1")  # error


class SharpStack(keras_sam.SharpnessAware, keras.Sequential):
    pass


SharpStack([keras.layers.Dense(1)], rho="0.1")  # error
SharpStack([keras.layers.Dense(1)], ascent=descents.Stable())  # error

ascents.LpBall(q=2)  # error
ascents.LpBall(p="2")  # error
ascents.LpBall(steps=1.5)  # error
ascents.LpBall(variables=1)  # error
ascents.LpBall(variables=[1])  # error
ascents.Adaptive(eta=None)  # error
ascents.Friendly(lambda_="0.9")  # error
ascents.Averaged(sigma=1)  # error
ascents.Momentum(variables=descents.GSAM)  # error
ascents.LastStep(momentum=0.9)  # error
ascents.Layerwise(fans=1)  # error
ascents.Metric()  # error
ascents.Preconditioned(beta="0.9")  # error
ascents.RandomDirection(seed="1")  # error
descents.Perturbed(alpha=1)  # error
descents.GSAM(rho=0.1)  # error
descents.Weighted(gamma="0.9")  # error
descents.Descent()  # error
schedules.Every(k=2.5)  # error
schedules.Every(reuse="0.7")  # error
schedules.Every(2, 0.7, 0.5)  # error
schedules.Between(end="last")  # error
schedules.Adaptive(c="0.5")  # error
schedules.Fraction(part=0.25)  # error
schedules.RhoByLearningRate(0.02, 0.1)  # error
keras_sam.SamModel(inputs, outputs)  # error
ascents.ASAM()  # error

model = keras_sam.SAMModel(inputs, outputs, m="all")  # error
model.rho = "0.1"  # error
model.m = 1.5  # error
model.m = "all"  # error
model.ascent = descents.Stable()  # error
model.schedule = None  # error
model.second_order = "yes"  # error

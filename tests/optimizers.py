"""All of Keras's optimizers: one list, which `test_like_plain` holds to be whole."""

import keras

from tests.helpers import BACKEND

ARGUMENTS = {
    "SGD": {"learning_rate": 0.1},
    "Adam": {"learning_rate": 0.01},
    "AdamW": {"learning_rate": 0.01, "weight_decay": 0.1},
    "RMSprop": {"learning_rate": 0.01, "momentum": 0.9},
    "Adagrad": {"learning_rate": 0.01},
    "Adadelta": {"learning_rate": 1.0},
    "Adamax": {"learning_rate": 0.01},
    "Adafactor": {"learning_rate": 0.01},
    "Nadam": {"learning_rate": 0.01},
    "Ftrl": {"learning_rate": 0.01},
    "Lion": {"learning_rate": 0.001},
    "Lamb": {"learning_rate": 0.01},
    "Muon": {"learning_rate": 0.01},
    "ScheduleFreeAdamW": {"learning_rate": 0.01},
    "LossScaleOptimizer": {},
    "MultiOptimizer": {},
}
# A version of Keras has those of its time.
OPTIMIZERS = [name for name in ARGUMENTS if hasattr(keras.optimizers, name)]
EXTRAS = {
    "nothing": {},
    "clipvalue": {"clipvalue": 0.01},
    "clipnorm": {"clipnorm": 0.01},
    "global_clipnorm": {"global_clipnorm": 0.01},
    "average": {"use_ema": True, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 2},
}


def optimizer(name, **extra):
    if name == "LossScaleOptimizer":
        return keras.optimizers.LossScaleOptimizer(optimizer("Adam", **extra), 8.0)
    if name == "MultiOptimizer":
        parts = {".*bias": optimizer("Adam", **extra)}
        default = optimizer("SGD", **extra)
        return keras.optimizers.MultiOptimizer(
            keras.optimizers.OptimizerMap(default, parts)
        )
    return getattr(keras.optimizers, name)(**ARGUMENTS[name], **extra)


def begins_right(name, mode):
    """Whether plain Keras does, in this mode of `compile`.

    In a graph of TensorFlow's, Keras's `fit` makes the momentum of `ScheduleFreeAdamW` of
    zeros, and the first step replaces the weights by it. A sharpness-aware model makes it
    of the weights, as Keras does elsewhere.
    """
    graph = BACKEND == "tensorflow" and not mode.get("run_eagerly")
    return not (graph and name == "ScheduleFreeAdamW")

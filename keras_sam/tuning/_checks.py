"""Errors for what cannot be searched, before anything is trained."""

import inspect
import math

from keras_sam._step.geometry import validated as validated_m
from keras_sam.sharpness_aware import SharpnessAware
from keras_sam.validation import is_real, number

SMALLEST = 2.0**-126  # The smallest positive number of float32 with all its digits.
HIGHER = ("acc", "accuracy", "auc", "precision", "recall")


def grid(rhos, ms, learning_rates):
    """Dict from each axis to the list of its values."""
    found = {
        "rho": _values("rhos", rhos, lambda rho: number("rho", rho, 0)),
        "m": _values("ms", ms, validated_m),
    }
    if learning_rates is not None:
        found["learning_rate"] = _values(
            "learning_rates",
            learning_rates,
            lambda rate: number("learning_rate", rate, SMALLEST),
        )
    return found


def _values(name, given, check):
    if isinstance(given, (str, dict)) or not hasattr(given, "__iter__"):
        raise ValueError(
            f"`{name}` must be a list of values to try. Received: {name}={given}"
        )
    found = [check(value) for value in given]
    if not found or len(set(found)) < len(found):
        raise ValueError(
            f"`{name}` must have at least one value, and each once. "
            f"Received: {name}={given}"
        )
    return found


def direction(monitor, mode):
    """`"min"` or `"max"`."""
    if not isinstance(monitor, str) or not monitor.startswith("val_"):
        raise ValueError(
            "`monitor` must be a score on validation data, which begins with `val_`: the "
            "loss on training data is the lowest where nothing is perturbed. "
            f"Received: monitor={monitor!r}"
        )
    if mode == "auto" and monitor.endswith("loss"):
        return "min"
    if mode == "auto" and monitor.endswith(HIGHER):
        return "max"
    if mode not in ("min", "max"):
        raise ValueError(
            f'`mode` must be "min" or "max", whether less or more of {monitor!r} is '
            f'better; "auto" knows losses, accuracies, AUC, precision and recall. '
            f"Received: mode={mode!r}"
        )
    return mode


def verbosity(verbose):
    """As of Keras's progress bar."""
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(
            f'`verbose` must be "auto", 0, 1 or 2. Received: verbose={verbose}'
        )
    return 1 if verbose == "auto" else int(verbose)


def check_data(**data):
    """Raises where data end never, or can be read only once."""
    if data["validation_data"] is None:
        raise ValueError(
            "`validation_data` must be given, as for `fit`: settings are compared by data "
            "that they are not trained on. Received: validation_data=None"
        )
    for name, given in data.items():
        pieces = given if isinstance(given, (tuple, list)) else [given]
        if any(hasattr(piece, "__next__") for piece in pieces):
            raise ValueError(
                f"`{name}` must be something that can be read again, as each setting reads "
                "it: arrays, a `tf.data.Dataset`, a `keras.utils.PyDataset`, but no "
                f"generator. Received: {name}={given}"
            )
        endless = hasattr(given, "cardinality") and int(given.cardinality()) == -1
        if endless or getattr(given, "num_batches", 0) is None:
            raise ValueError(
                f"`{name}` must end, as an epoch is once through it: leave out `repeat()`, "
                f"or use `take(...)`. Received: {name}={given}"
            )


def check_build(build, names):
    """Raises where `build` cannot be called with these keywords."""
    try:
        inspect.signature(build).bind(**dict.fromkeys(names))
    except (TypeError, ValueError):
        arguments = ", ".join(names)
        raise ValueError(
            f"`build` must be a function that can be called with the keywords {arguments}, "
            f"`def build({arguments}): ...`, and returns a compiled model. "
            f"Received: build={build}"
        ) from None


def check_model(model, setting, others):
    """Raises where a model of `build` is not what was asked for, or not a new one."""
    if not isinstance(model, SharpnessAware) or not model.compiled:
        raise ValueError(
            "`build` must return a compiled sharpness-aware model, for example "
            "`keras_sam.SAMModel(inputs, outputs, rho=rho, m=m)`, also for `rho=0`. "
            f"Received: {model} (of type {type(model)})"
        )
    for name in ("rho", "m"):
        has = getattr(model, name)
        if has != setting[name] and not (name == "rho" and not is_real(has)):
            raise ValueError(
                f"`build` must return a model with the `{name}` that it is given. "
                f"Received: a model with {name}={has}, for {setting}"
            )
    own = {id(variable) for variable in model.trainable_variables}
    for other in others:
        if model is other or own & {id(variable) for variable in other.trainable_variables}:
            raise ValueError(
                "`build` must return a new model at each call, which shares no trainable "
                "weights with the others: make the layers in `build`, or copy a model by "
                "`keras.models.clone_model` and `set_weights`, and set `trainable = False` "
                f"on layers that are to be shared. Received: {model}, again"
            )


def check_finite(trials):
    """Raises where no setting has a score."""
    if not any(math.isfinite(trial.score) for trial in trials):
        raise ValueError(
            "The loss of all settings became infinite or not a number, or their score on "
            "validation data did. Lower the learning rate, give smaller `rhos`, and see "
            "whether the data have such numbers. "
            f"Received: {[trial.setting for trial in trials]}"
        )

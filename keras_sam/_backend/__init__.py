"""The backend: the only place that asks which one it is.

`base` has the whole interface, function by function. `keras_trainer` mirrors the lines of
Keras's own `train_step` that have no public name.
"""

import importlib

try:
    import keras
except ImportError as error:
    raise ImportError(
        "keras_sam needs Keras 3 and one of its backends, and could not import them "
        f"({error}). Install what is missing with `pip install "
        "'keras_sam[tensorflow]'` (or `[jax]`, or `[torch]`), and name the backend in the "
        "environment variable `KERAS_BACKEND`."
    ) from error

from keras_sam._backend import base

backend = base
if keras.backend.backend() in ("tensorflow", "jax", "torch"):
    backend = importlib.import_module(f"{__name__}.{keras.backend.backend()}")

for name in base.__all__:
    globals()[name] = getattr(backend, name, getattr(base, name))

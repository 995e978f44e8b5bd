"""A selection of Keras's own tests, with sharpness-aware classes: see `tests/README.md`."""

from tests.helpers import BACKEND
from tests.keras_own.__main__ import main

FILES = ["models/cloning_test.py", "models/sequential_test.py"]
if BACKEND != "torch":  # Whose compiler it waits for, for minutes.
    FILES.append("callbacks/swap_ema_weights_test.py")


def test_each_difference_has_a_reason():
    assert main(FILES) == 0

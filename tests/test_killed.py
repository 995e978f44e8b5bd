"""A training that is killed at random moments, and begun again until it is done."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.helpers import BACKEND, assert_identical
from tests.killed import RULES

NAMES = [*RULES, *(f"{name}-many" for name in RULES if BACKEND != "torch")]
KILLS = 4


def begin(name, folder):
    return subprocess.Popen([sys.executable, "-m", "tests.killed", name, str(folder)])


def state(folder):
    with np.load(folder / "state.npz") as found:
        return [found[key] for key in found.files]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_uninterrupted_run(name, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert begin(name, whole).wait() == 0
    seed = random.SystemRandom().randrange(10**6)  # Those of Keras are set.
    times, kills = random.Random(seed), 0
    while kills < KILLS:
        process = begin(name, killed)
        while not (killed / "begun").exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(times.uniform(0, 0.3))
        process.kill()
        if process.wait() == 0:
            break  # It was done before.
        assert process.returncode == -signal.SIGKILL
        kills += 1
        (killed / "begun").unlink(missing_ok=True)
    print(f"seed {seed}: {kills} kills")
    assert kills
    if not (killed / "state.npz").exists():
        assert begin(name, killed).wait() == 0
    assert_identical(state(killed), state(whole))

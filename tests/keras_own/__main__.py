"""Runs Keras's tests plainly and with sharpness-aware classes, and compares the outcomes.

    KERAS_BACKEND=jax python -m tests.keras_own
    KERAS_BACKEND=jax python -m tests.keras_own models/model_test.py

Without arguments, all of the tests below. A test that passes plainly and fails otherwise,
for no reason in `reasons.py`, is printed, and fails the command. So does a file that cannot
be imported: some of them need `pip install grain orbax-checkpoint pandas`.
"""

import collections
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.helpers import BACKEND
from tests.keras_own.reasons import NAMES, SAID
from tests.keras_own.substitutes import PLACES

KERAS = Path(importlib.util.find_spec("keras").origin).parent
PARTS = ["trainers", "models", "callbacks", "saving", "optimizers", "distribution"]
OF_A_BACKEND = {
    "tensorflow": ["distribute", "optimizer_distribute", "saved_model"],
    "jax": ["trainer", "distribution_lib"],
    "torch": [],
}
PARTS += [f"backend/{BACKEND}/{name}_test.py" for name in OF_A_BACKEND[BACKEND]]


def outcomes(form, files):
    """Dict from the name of each test in these files of Keras's to its outcome."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outcomes.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.keras_own.plugin"]
        # Not with the settings of this project, in which Keras may be installed.
        command += ["-p", "no:cacheprovider", "-c", os.devnull]
        command += ["-o", "python_files=*_test.py", "--continue-on-collection-errors"]
        command += [f"--rootdir={KERAS}", f"--form={form}", f"--outcomes={path}"]
        command += [str(KERAS / "src" / file) for file in files]
        run = subprocess.run(command, capture_output=True, text=True)
        if not path.exists():
            raise RuntimeError(f"pytest said: {run.stdout[-3000:]}{run.stderr[-3000:]}")
        return json.loads(path.read_text(encoding="utf-8"))


def reason(name, said):
    found = [why for what, why in SAID.items() if re.search(what, said)]
    found += [why for what, why in NAMES.items() if re.search(what, name)]
    return next(iter(found), None)


def compare(form, plain, ours):
    """How many tests differ for each reason, and those that differ for none."""
    reasons, unlisted = collections.Counter(), {}
    passed = [name for name, found in plain.items() if found["outcome"] == "passed"]
    for name in passed:
        found = ours.get(name, {"outcome": "missing", "said": ""})
        if found["outcome"] == "passed":
            continue
        why = reason(name, found["said"])
        if why is None:
            unlisted[name] = found
        else:
            reasons[why] += 1
    print(f"{form}: {len(passed)} pass plainly, {reasons.total()} differ for a reason")
    for why, count in reasons.most_common():
        print(f"  {count}: {why}")
    for name, found in unlisted.items():
        print(f"  UNLISTED: {name}, {found['outcome']}\n{found['said'][:600]}")
    return unlisted


def main(files):
    plain = outcomes("plain", files)
    for name, found in plain.items():
        if found["outcome"] == "not collected":
            raise RuntimeError(f"{name} was not imported: {found['said'][-600:]}")
    forms = [form for form in PLACES if form != "plain"]
    differ = [compare(form, plain, outcomes(form, files)) for form in forms]
    return 1 if any(differ) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PARTS))

"""What `import keras_sam` leaves for later: see `benchmarks/import_time.py`."""

import subprocess
import sys

CODE = """
import sys
import keras

before = set(sys.modules)  # Keras takes some of matplotlib and SciPy by itself.
import keras_sam

print(sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_what_few_need_is_imported_where_it_is_used():
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert "'keras_sam'" in result.stdout, result.stderr
    assert not any(name in result.stdout for name in ("matplotlib", "optuna", "scipy"))

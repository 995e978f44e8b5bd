"""Once imported, so can the modules of examples/: they import each other by their names."""

import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path += [str(EXAMPLES), str(EXAMPLES / "reproduce")]

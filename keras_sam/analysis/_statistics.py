"""How sure a mean is."""

import numpy as np


def standard_error(values):
    """Of their mean; not a number for a single one."""
    if len(values) < 2:
        return float("nan")
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))

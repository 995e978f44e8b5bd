"""Does a better inner maximum help: appendix C.6, Table 11.

    python examples/reproduce/train.py --recipe=ablation_steps --ascent_steps=3 --seeds=20

Projected gradient ascent of 1, 2, 3 and 5 steps. The paper has 20 runs of each, with the
mean and its standard deviation, and a WRN that it does not name.

Time: not measured on any accelerator yet.
"""

from recipes.cifar_wrn28_10 import BY_DATASET, SETTINGS, network  # noqa: F401
from rows import Row

ERRORS = {
    "cifar10": {1: "2.77 ± 0.03", 2: "2.76 ± 0.03", 3: "2.73 ± 0.04", 5: "2.77 ± 0.03"},
    "cifar100": {1: "16.72", 2: "16.59", 3: "16.62", 5: "16.60"},
}
ROWS = tuple(
    Row("Table 11", (f"--dataset={dataset} --ascent_steps={steps}",), error)
    for dataset, errors in ERRORS.items()
    for steps, error in errors.items()
)

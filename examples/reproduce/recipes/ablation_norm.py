"""Which norm bounds the perturbation, and does its direction count: appendix C.5, Figure 6.

    python examples/reproduce/train.py --recipe=ablation_norm --p=inf --rho=0.0001
    python examples/reproduce/train.py --recipe=ablation_norm --ascent=random --rho=0.1

The paper compares p = 2, p = inf and a random direction, at rho from 1e-6 to 1e3, and has a
figure without a table: p = 2 is best, and both directions along the gradient are better
than the random one. Its network is a WRN; which one it does not say.

Time: not measured on any accelerator yet.
"""

from recipes import cifar_wrn28_10
from recipes.cifar_wrn28_10 import network  # noqa: F401
from rows import Row

SETTINGS = cifar_wrn28_10.SETTINGS
BY_DATASET = {}
RHOS = tuple(10.0**k for k in range(-6, 4))
KINDS = "--p=2", "--p=inf", "--ascent=random"
ROWS = tuple(
    Row("Figure 6", (f"{kind} --rho={rho:g}",), "") for kind in KINDS for rho in RHOS
)

"""Against other packages, where theirs follow the paper: some steps in float64.

Not so their Friendly SAM and LookSAM: `pytorch_optimizer` averages the reduced gradient,
and takes LookSAM's projections tensor by tensor. `test_variants` has these by hand.
"""

import numpy as np
import pytest

from keras_sam import ascents, descents
from tests.helpers import BACKEND
from tests.peers import RATE, RHO, batches, by_optax, ours

pytestmark = pytest.mark.usefixtures("float64")
PYTORCH = {
    "SAM": ({}, {}),
    "ASAM": ({"ascent": ascents.Adaptive(eta=0)}, {"adaptive": True}),
    "WSAM": ({"descent": descents.Weighted(0.7)}, {"gamma": 0.7, "decouple": False}),
    "GSAM": ({"descent": descents.GSAM(0.4)}, {"alpha": 0.4}),
}


@pytest.mark.skipif(BACKEND != "torch", reason="`pytorch_optimizer` is PyTorch's")
@pytest.mark.parametrize("name", PYTORCH)
def test_pytorch_optimizer(name):
    package = pytest.importorskip("pytorch_optimizer", reason="The package is missing.")
    import torch

    parts, settings = PYTORCH[name]
    before, expected = ours(**parts)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.ParameterList(torch.tensor(w) for w in before)

        def forward(self, x):
            return torch.relu(x @ self.weights[0]) @ self.weights[1]

    net, loss = Net(), torch.nn.MSELoss()
    kind = getattr(package, "SAM" if name == "ASAM" else name)
    if name == "GSAM":
        base = torch.optim.SGD(net.parameters(), lr=RATE)
        optimizer = kind(net.parameters(), base, net, _Constant(RHO), **settings)
    else:
        model = (net,) if name == "WSAM" else ()
        optimizer = kind(
            *model, net.parameters(), torch.optim.SGD, rho=RHO, lr=RATE, **settings
        )
    for x, y in batches():
        x, y = torch.tensor(x), torch.tensor(y)
        if name == "GSAM":
            optimizer.set_closure(loss, x, y)
            optimizer.step()
            continue
        for step in (optimizer.first_step, optimizer.second_step):
            loss(net(x), y).backward()
            step(zero_grad=True)
    for w, theirs in zip(expected, net.weights):
        # They take the norm in float32.
        np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=1e-6)


class _Constant:
    """What GSAM asks for its rho."""

    def __init__(self, value):
        self.value = value

    def step(self):
        return self.value


@pytest.mark.skipif(BACKEND != "jax", reason="`optax` is JAX's")
def test_optax():
    weights, expected = ours()
    for w, theirs in zip(expected, by_optax(weights, RATE)):
        np.testing.assert_allclose(w, theirs, rtol=1e-9)

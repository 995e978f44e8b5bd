"""Eigenvalues against hessian-eigenthings, on the same weights in PyTorch."""

import keras
import numpy as np
import pytest

from keras_sam import analysis
from tests import dense
from tests.helpers import only_on


@pytest.mark.slow
@only_on("torch", "It is PyTorch's.")
@pytest.mark.parametrize("batches", [1, 3])
def test_eigenvalues(batches, float64):
    """Without a regularizer, which its loss does not have. Its batches are of one size."""
    peer = pytest.importorskip("hessian_eigenthings")
    import torch

    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(3, "tanh")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    model.compile("sgd", "mse")
    x, y, _ = dense.data(24)
    found = analysis.hessian_eigenvalues(model, x, y, k=4, batch_size=24 // batches)
    parts = [map(torch.as_tensor, np.split(a, batches)) for a in (x, y)]
    operator = peer.HessianOperator(
        model,
        list(zip(*parts)),
        lambda model, batch: torch.mean((model(batch[0], training=False) - batch[1]) ** 2),
        param_filter=lambda name, parameter: parameter.requires_grad,
    )
    expected = peer.lanczos(operator, k=4, which="LA", max_iter=29, tol=1e-9)
    values = np.sort(np.asarray(expected.eigenvalues))[::-1]
    np.testing.assert_allclose(found.values, values, rtol=1e-3)

"""Where groups of examples, or replicas, remember one thing together."""

import numpy as np
import pytest

from tests.helpers import BACKEND, only_on
from tests.memories import data, make, memory, replicated, train

pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras trains on one device on PyTorch"
)


def test_groups_of_a_replica_share_a_memory():
    """It is the mean of what they would each remember, as with batch norm."""
    x, y = data(1)
    halves = []
    for rows in (slice(0, 4), slice(4, 8)):
        model = train(make("averaged", rate=0.0), x[rows], y[rows], 4)
        halves.append(memory(model))
    whole = memory(train(make("averaged", rate=0.0, m=4), x, y, 8))
    for both, one, other in zip(whole, *halves):
        np.testing.assert_allclose(both, (one + other) / 2, rtol=1e-4, atol=1e-7)


@only_on("jax", "Replicas of TensorFlow go on with less than m examples each.")
def test_replicas_that_share_a_short_batch_share_what_they_remember():
    """Two devices to a group of m: they begin with their mean, and both keep the result."""
    x, y = data(1)
    x, y = np.concatenate([x, x[:4] + 1]), np.concatenate([y, y[:4]])
    alone = []
    for rows in range(0, 12, 2):
        model = make("averaged", rate=0.0)
        alone.append(memory(train(model, x[rows : rows + 2], y[rows : rows + 2], 2)))
    with replicated(4):
        together = memory(train(make("averaged", rate=0.0, m=2), x, y, 8))
    for values, *pairs in zip(together, *alone):
        before = np.reshape(pairs[:4], (2, 2, *values.shape[1:])).mean(1)
        after = np.repeat(0.75 * before + np.concatenate(pairs[4:]), 2, axis=0)
        np.testing.assert_allclose(values, after, rtol=1e-4, atol=1e-6)


@only_on("jax", "Replicas of TensorFlow go on with less than m examples each.")
def test_a_batch_of_one_group_is_refused():
    x, y = data(2)
    with replicated():
        model = make("averaged", m=4)
        with pytest.raises(ValueError, match=r"Leave the short last.*Received: 4 examples"):
            train(model, x[:12], y[:12], 8)

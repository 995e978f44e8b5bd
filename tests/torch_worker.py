"""One of two processes on PyTorch, started as by `torchrun`, which sets what it reads."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from torch import distributed
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DistributedDataParallel

import keras_sam
from tests.loops import loss_of
from tests.models import classify, rows

BATCH, STEPS, SETTINGS = 16, 3, {"rho": 0.5}
DATA = rows(BATCH * STEPS)


def network():
    inputs = keras.Input((8,))
    return inputs, keras.layers.Dense(3)(keras.layers.Dense(4, "tanh")(inputs))


def loop(grad):
    """Each process has its part of each batch."""
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(grad.variables)
    size = BATCH // distributed.get_world_size()
    for start in range(distributed.get_rank() * size, len(DATA[0]), BATCH):
        gradients = grad(*(torch.tensor(a[start : start + size]) for a in DATA)).gradients
        for gradient in gradients:
            distributed.all_reduce(gradient)
            gradient /= distributed.get_world_size()
        with torch.no_grad():
            optimizer.apply(gradients, grad.variables)


def sharded(model):
    return FullyShardedDataParallel(model, device_id=torch.device("cpu"))


def refused(model):
    """What does not work says so."""
    with pytest.raises(ValueError, match="a perturbation for 2 of 2 processes"):
        grad = keras_sam.value_and_grad(loss_of(model), model, m="global")
        grad(*map(torch.tensor, DATA))
    for wrap in (DistributedDataParallel, sharded, fully_shard):
        inner = keras.Model(*network())
        grad = keras_sam.value_and_grad(loss_of(wrap(inner)), inner)
        with pytest.raises(ValueError, match=r"` averages the gradients .*\.all_reduce`"):
            grad(*map(torch.tensor, DATA))
    fitted = classify(keras_sam.SAMModel(*network()))
    with pytest.warns(UserWarning, match="each process trains a model of its own"):
        fitted.fit(*DATA, verbose=0)


def main(file):
    distributed.init_process_group("gloo")
    keras.utils.set_random_seed(1)
    model = keras.Model(*network())
    grad = keras_sam.value_and_grad(loss_of(model), model, **SETTINGS)
    loop(grad)
    np.savez(file, *model.get_weights())
    refused(model)


if __name__ == "__main__":
    main(Path(sys.argv[1]) / f"{torch.distributed.get_node_local_rank()}.npz")

"""Several processes of PyTorch's, of which Keras's trainer knows nothing.

In a training loop each process has the gradient of its own examples, and the user averages
them: the paper's way, without a word to the others. What would need one is refused.
"""

import contextlib
import warnings

from torch import distributed
from torch.nn.modules.module import register_module_forward_pre_hook

# By name, as what is never used should not be imported.
WRAPPERS = {"DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule"}
INSTEAD = (
    "In a training loop, take the gradients of the model itself by "
    "`keras_sam.value_and_grad`, and average `result.gradients` by "
    "`torch.distributed.all_reduce`."
)


def processes():
    """How many there are in the process group."""
    there = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if there else 1


def replicas(model):
    return processes() if model is None else 1


def average(tensors, count):
    raise ValueError(
        '`m="global"`, or an `m` above the batch of a process, is a perturbation that '
        "several processes share, for which those of PyTorch would have to talk. Use "
        "`m=None`, or at most the batch of a process. "
        f"Received: a perturbation for {count} of {processes()} processes"
    )


def warn_of_fit():
    if processes() > 1:
        warnings.warn(
            "Keras trains on one device on PyTorch: here each process trains a model of "
            f"its own. {INSTEAD} Received: a process group of {processes()} processes",
            stacklevel=2,
        )


@contextlib.contextmanager
def no_wrappers():
    """Raises where a module is called that averages what `backward()` gives: a pass asks
    for its gradients, and they would be those of one process."""
    if processes() == 1:
        yield
        return

    def refuse(module, inputs):
        for name in WRAPPERS.intersection(c.__name__ for c in type(module).__mro__):
            raise ValueError(
                f"`{name}` averages the gradients that `backward()` leaves, which a "
                f"sharpness-aware step does not call. {INSTEAD}"
            )

    hook = register_module_forward_pre_hook(refuse)
    try:
        yield
    finally:
        hook.remove()

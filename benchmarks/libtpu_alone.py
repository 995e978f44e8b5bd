"""What it takes to use libtpu's compiler on a machine without a TPU."""

import re

# To be set before JAX starts.
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TPU_ACCELERATOR_TYPE": "v5e-4",
    "TPU_LOG_DIR": "disabled",
    # Without these two, libtpu looks for the metadata server of a TPU machine.
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    # No device is opened: another process may compile, too.
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


def trips(program):
    """How often each loop of a compiled program runs its body.

    This is the limit of the loop's counter, which starts at 0.
    """
    found = []
    for condition in re.findall(r" while\(.*condition=(%[\w.-]+)", program):
        computation = program.split(f"\n{condition} ")[1].split("\n}")[0]
        found += re.findall(r" s32\S* constant\((\d+)\)", computation)
    return [int(n) for n in found]

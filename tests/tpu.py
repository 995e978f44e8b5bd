"""The TPU compiler, on a machine without a TPU: it comes with `libtpu`, and needs none.

It runs in a process of its own, so that JAX and libtpu stay out of that of the tests.
"""

import json
import os
import re
import subprocess
import sys

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


def compile_for_tpu(hlo):
    """Compiles a program for one chip of a TPU v5e.

    Args:
        hlo: Bytes, a serialized `HloModuleProto`.

    Returns:
        Dict of `flops`, in which XLA counts the body of a loop once; `trips`, how often
        each loop runs its body; and `temp_bytes`, what the program takes beyond its
        arguments and results.
    """
    process = subprocess.run(
        [sys.executable, __file__],
        input=hlo,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
    )
    assert process.returncode == 0, process.stderr.decode()
    return json.loads(process.stdout)


def _compile(hlo):
    from jax.experimental import topologies
    from jaxlib import xla_client

    topology = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2")
    chip = topology.devices[0]
    options = xla_client.CompileOptions()
    # The lowest effort: the same FLOPs in a third of the time, but more memory.
    options.executable_build_options.exec_time_optimization_effort = -1.0
    return chip.client.compile(
        _stablehlo(hlo), xla_client.DeviceList((chip,)), compile_options=options
    )


def _stablehlo(hlo):
    """The program without the copies that TensorFlow makes of its results.

    A copy is no operation of StableHLO, and changes no value.
    """
    from jax.extend.mlir import hlo_to_stablehlo
    from jax.interpreters.mlir import ir, make_ir_context

    def drop_copy(operation):
        if operation.name == "mhlo.copy":
            operation.results[0].replace_all_uses_with(operation.operands[0])
            operation.erase()
        return ir.WalkResult.ADVANCE

    with make_ir_context():
        module = ir.Module.parse(hlo_to_stablehlo(hlo))
        module.operation.walk(drop_copy)
    return module


def trips(program):
    """The limits of the loops' counters, which start at 0."""
    found = []
    for condition in re.findall(r" while\(.*condition=(%[\w.-]+)", program):
        computation = program.split(f"\n{condition} ")[1].split("\n}")[0]
        found += re.findall(r" s32\S* constant\((\d+)\)", computation)
    return [int(n) for n in found]


if __name__ == "__main__":
    compiled = _compile(sys.stdin.buffer.read())
    found = {
        "flops": compiled.cost_analysis()["flops"],
        "trips": trips(compiled.hlo_modules()[0].to_string()),
        "temp_bytes": compiled.get_compiled_memory_stats().temp_size_in_bytes,
    }
    print(json.dumps(found))

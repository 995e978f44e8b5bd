"""The graph of a functional model, and how it runs, of which Keras has no public names.

Of `keras.src.ops.function.Function` (Keras 3.10 to 3.15): `_nodes_by_depth`, and
`_run_through_graph`, which calls each operation.
"""

import contextlib
import threading

import keras

from keras_sam._backend.keras_trainer import Functional

_thread = threading.local()
_lock = threading.Lock()
_runs = {}


def graph_of(model):
    """What runs the operations of a model: the model, or in a sequential one what it has
    inside. `None` where there is no graph."""
    if isinstance(model, keras.Sequential):
        model = model._functional
    return model if isinstance(model, Functional) else None


def nodes_of(graph):
    """List of its nodes, in the order in which they run."""
    by_depth = graph._nodes_by_depth
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    return [node for node in nodes if node.operation and not node.is_input]


@contextlib.contextmanager
def operations_by(graph, run):
    """Within this, the first run of the graph in this thread is by `run(call)`.

    It is called once for each node, in the order of `nodes_of`, with the callable that
    computes the node's outputs, and returns them, or others in their place.
    """
    before = getattr(_thread, "next", None)
    _thread.next = graph, run
    _stand_in(graph)
    try:
        yield
    finally:
        _withdraw(graph)
        _thread.next = before


def _stand_in(graph):
    """For all threads, of which only those have another run that are in the scope."""
    original = type(graph)._run_through_graph

    def through(inputs, operation_fn=lambda operation: operation, call_fn=None):
        ours, run = getattr(_thread, "next", None) or (None, None)
        if ours is not graph or call_fn is not None:
            return original(graph, inputs, operation_fn, call_fn)
        _thread.next = None

        def instead(operation):
            operation = operation_fn(operation)
            return lambda *args, **kwargs: run(lambda: operation(*args, **kwargs))

        return original(graph, inputs, instead)

    with _lock:
        _runs[id(graph)] = _runs.get(id(graph), 0) + 1
        if _runs[id(graph)] == 1:
            vars(graph)["_run_through_graph"] = through


def _withdraw(graph):
    with _lock:
        _runs[id(graph)] -= 1
        if _runs[id(graph)] == 0:
            del _runs[id(graph)], vars(graph)["_run_through_graph"]

"""The trunk of a functional model: the operations that no perturbation reaches."""

from typing import Any, NamedTuple

import keras

from keras_sam._backend import keras_graph, keras_trainer


class Node(NamedTuple):
    """A node of a graph.

    Attributes:
        operation: What runs: a layer, or another operation of Keras's.
        count: Integer, the number of outputs.
        used: List of `(index, is_float)` of those that the head uses; of a node of the
            head, `None`.
    """

    operation: Any
    count: int
    used: list | None


class Trunk:
    """Which nodes of a graph are the trunk.

    Attributes:
        graph: What runs the nodes.
        nodes: List of all `Node`, in the order in which they run.
        last: Integer, the index of the trunk's last node.
        variables: Set of the ids of its variables.
        trained: Set of the ids of those that are trained.
        stands: Bool. Whether it is all that it seems, as runs of it have shown; before the
            first `None`.
    """

    def __init__(self, graph, nodes):
        self.graph, self.nodes, self.stands = graph, nodes, None
        self.last = max(i for i, node in enumerate(nodes) if node.used is not None)
        inside = [node for node in nodes if node.used is not None]
        self.variables = _ids(inside, "variables")
        self.trained = _ids(inside, "trainable_variables")


def trunk_of(model, perturbed):
    """The `Trunk` of a model, or `None` where there is none, or none worth it: without
    weights or seeds.

    Args:
        model: A Keras model.
        perturbed: List of the variables that are perturbed.
    """
    graph = keras_graph.graph_of(model)
    if graph is None or not _can_be_shared(model):
        return None
    nodes = keras_graph.nodes_of(graph)
    reached = _reached(nodes, set(map(id, perturbed)))
    trunk = [node for node in nodes if id(node.operation) not in reached]
    head = [node for node in nodes if id(node.operation) in reached]
    moved = [_ids(part, "non_trainable_variables") for part in (trunk, head)]
    # Of what both move, the trunk would move it first.
    if not _ids(trunk, "variables") or moved[0] & moved[1]:
        return None
    used = {id(tensor) for node in head for tensor in node.input_tensors}
    used |= set(map(id, graph.outputs))
    inside = set(map(id, trunk))

    def seen(node):
        if id(node) not in inside:
            return None
        outputs = enumerate(node.outputs)
        is_float = keras.backend.is_float_dtype
        return [(i, is_float(t.dtype)) for i, t in outputs if id(t) in used]

    return Trunk(graph, [Node(n.operation, len(n.outputs), seen(n)) for n in nodes])


def _can_be_shared(model):
    modules = keras.layers.TorchModuleWrapper  # Their state is in no Keras variable.
    wrapped = any(isinstance(layer, modules) for layer in keras_trainer.layers(model))
    return not wrapped and not any(v.overwrite_with_gradient for v in model.variables)


def _reached(nodes, perturbed):
    """The ids of the operations that have a perturbed weight, or an input from such a one.

    One that runs more than once is reached if one of its runs is.
    """
    reached = {id(n.operation) for n in nodes if perturbed & _ids([n], "variables")}
    made_by = {id(tensor): id(n.operation) for n in nodes for tensor in n.outputs}
    count = None
    while count != len(reached):
        count = len(reached)
        for node in nodes:
            if any(made_by.get(id(tensor)) in reached for tensor in node.input_tensors):
                reached.add(id(node.operation))
    return reached


def _ids(nodes, kind):
    return {id(v) for node in nodes for v in getattr(node.operation, kind, [])}

"""Errors for a rule of the user's own (ascent, descent or schedule) that is wrong."""


def check_begun(rule):
    """A rule has what its base class's constructor gives it.

    Raises:
        ValueError: if its own constructor does not call that.
    """
    try:
        rule.get_config()
    except AttributeError as error:
        name = type(rule).__name__
        raise ValueError(
            f"`{name}` cannot be used. Its `__init__` has to call `super().__init__()`, "
            "and its `get_config` can give only what that, or its own `__init__`, has set. "
            f"Received: {name} without an attribute ({error})"
        ) from error


def check_tensors(rule, method, tensors, variables):
    """What a rule returns has a tensor of the right shape for each weight.

    Args:
        rule: The ascent, descent or schedule.
        method: String, the name of the method that returned `tensors`.
        tensors: What it returned.
        variables: List of the weights' Keras variables.

    Raises:
        ValueError: if it is another number of tensors, or one of another shape.
    """
    name = type(rule).__name__ + ("" if method == "__call__" else f".{method}")
    wanted = "a list with a tensor for each weight, of the weight's shape"
    if not isinstance(tensors, (list, tuple)):
        raise ValueError(
            f"`{name}` must return {wanted}. Received: {tensors} (of type {type(tensors)})"
        )
    for variable, tensor in zip(variables, tensors):
        shape = getattr(tensor, "shape", None)
        if shape is None or not _may_be(shape, variable.shape):
            received = f"of type {type(tensor)}" if shape is None else f"shape={shape}"
            raise ValueError(
                f"`{name}` must return {wanted}. Received: for {variable.path} of "
                f"shape={variable.shape} a value {received}"
            )
    if len(tensors) != len(variables):
        lacking = f", none for {variables[len(tensors)].path}"
        raise ValueError(
            f"`{name}` must return {wanted}. Received: {len(tensors)} tensors for "
            f"{len(variables)} weights{lacking if len(tensors) < len(variables) else ''}"
        )


def _may_be(shape, wanted):
    """Of a sparse gradient in a TensorFlow graph not all of the shape is known."""
    if getattr(shape, "rank", 0) is None:
        return True
    shape = tuple(shape)
    return len(shape) == len(wanted) and all(
        n is None or n == m for n, m in zip(shape, wanted)
    )


def check_memory(rule, method, memory, before):
    """What a rule remembers keeps its shapes.

    Raises:
        ValueError: if it does not.
    """
    shapes = [tuple(t.shape) for t in before]
    received = memory
    if isinstance(memory, (list, tuple)):
        received = [tuple(getattr(t, "shape", ("no tensor",))) for t in memory]
    if received != shapes:
        raise ValueError(
            f"`{type(rule).__name__}.{method}` must return what to remember: a list of "
            "tensors of the shapes that `init` gave. "
            f"Received: shapes={received}, expected: shapes={shapes}"
        )

"""A method in the place of another, as an editor and a type checker see it."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable)


def like(method: Method) -> Callable[[Callable], Method]:
    """Gives a method the name, the docstring and the signature of another.

    After `functools.wraps` alone, a type checker sees no method: to it, `model.fit(x, y)`
    is then a call in which `x` is the model.
    """
    wraps: Any = functools.wraps(method)
    return wraps

"""Which weights an ascent perturbs."""

import re
from collections.abc import Callable, Sequence

import keras

Choice = type[keras.Layer] | str | Callable[[keras.Variable], bool]
Variables = Choice | Sequence[Choice]


@keras.saving.register_keras_serializable("keras_sam")
class Selection:
    """A variable is selected if one of the rules holds.

    Args:
        layers: List of names of layer classes, as Keras registers them.
        paths: List of regular expressions.
        functions: List of callables from a variable to a bool.
    """

    def __init__(self, layers=(), paths=(), functions=()):
        self.layers = list(layers)
        self.paths = list(paths)
        self.functions = list(functions)

    @classmethod
    def of(cls, rules):
        """The selection by what a user gives: a rule, or a list of them."""
        if isinstance(rules, cls):
            return rules
        layers, paths, functions = [], [], []
        for rule in rules if isinstance(rules, (list, tuple)) and rules else [rules]:
            if isinstance(rule, type) and issubclass(rule, keras.Layer):
                layers.append(keras.saving.get_registered_name(rule))
            elif isinstance(rule, str):
                paths.append(_pattern(rule))
            elif callable(rule) and not isinstance(rule, (type, keras.Layer)):
                functions.append(rule)
            else:
                _refuse(rule)
        return cls(layers, paths, functions)

    def select(self, variables, layers):
        """Whether each of the variables is selected.

        Args:
            variables: List of Keras variables.
            layers: List of the model's layers, however deep.

        Returns:
            List of bool.

        Raises:
            ValueError: if none is.
        """
        owned = {id(v) for layer in layers if self._names(layer) for v in layer.variables}
        selected = [
            id(v) in owned
            or any(re.search(path, v.path) for path in self.paths)
            or any(function(v) for function in self.functions)
            for v in variables
        ]
        if not any(selected):
            raise ValueError(
                "`variables` selects none of the model's trainable weights. "
                f"Received: layers={self.layers}, paths={self.paths}, "
                f"functions={self.functions}, with weights={[v.path for v in variables]}"
            )
        return selected

    def chosen(self, variables, layers):
        """Those of the variables that are selected. Arguments and errors as of `select`."""
        selected = self.select(variables, layers)
        return [v for v, is_selected in zip(variables, selected) if is_selected]

    def __repr__(self):
        rules = [repr(rule) for rule in (*self.layers, *self.paths, *self.functions)]
        return rules[0] if len(rules) == 1 else f"[{', '.join(rules)}]"

    def _names(self, layer):
        classes = type(layer).__mro__
        return any(keras.saving.get_registered_name(c) in self.layers for c in classes)

    def get_config(self):
        return {"layers": self.layers, "paths": self.paths, "functions": self.functions}

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))


def _pattern(rule):
    try:
        return re.compile(rule).pattern
    except re.error as error:
        raise ValueError(
            "`variables` must be a regular expression where it is a string, and is none: "
            f"{error}. Received: variables={rule}"
        ) from error


def _refuse(rule):
    advice, received = "", repr(rule)
    if isinstance(rule, keras.Layer):
        name = type(rule).__name__
        advice = f"Give the class of the layer, `{name}`, or its name as an expression, "
        advice += f'"{rule.name}/". '
    elif isinstance(rule, keras.Variable):
        advice, received = f'Give its path, "{rule.path}". ', rule.path
    elif hasattr(rule, "shape"):
        received = f"an array of shape={tuple(rule.shape)}"
    raise ValueError(
        "`variables` must be a layer class, a regular expression for paths of variables, a "
        f"callable from a variable to a bool, or a list of these. {advice}"
        f"Received: variables={received} (of type {type(rule)})"
    )

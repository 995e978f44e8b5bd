"""Which weights an ascent perturbs."""

import re

import keras


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
                paths.append(re.compile(rule).pattern)
            elif callable(rule) and not isinstance(rule, type):
                functions.append(rule)
            else:
                raise ValueError(
                    "`variables` must be a layer class, a regular expression for paths of "
                    "variables, a callable from a variable to a bool, or a list of these. "
                    f"Received: variables={rules} (of type {type(rules)})"
                )
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

    def _names(self, layer):
        classes = type(layer).__mro__
        return any(keras.saving.get_registered_name(c) in self.layers for c in classes)

    def get_config(self):
        return {"layers": self.layers, "paths": self.paths, "functions": self.functions}

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))

"""What the user of a loop gives: a model, values of its variables, a batch, a time."""

import keras
from keras import ops

from keras_sam._backend import keras_trainer


class Given:
    """The layers and variables that a loss is a function of.

    What is trainable of them is asked for at each step: it may change.

    Args:
        model: A layer, a variable, or a list of these.

    Raises:
        ValueError: if it is none of these, is not built, or has nothing to train.
    """

    def __init__(self, model):
        given = model if isinstance(model, (list, tuple)) else [model]
        for one in given:
            if not isinstance(one, (keras.Layer, keras.Variable)):
                raise ValueError(
                    "`model` must be a Keras model, layer or variable, or a list of these. "
                    f"Received: {one} (of type {type(one)})"
                )
        self._outer = [one for one in given if isinstance(one, keras.Layer)]
        self._single = [one for one in given if isinstance(one, keras.Variable)]
        for layer in self.layers:
            if not layer.built:
                raise ValueError(
                    "The model must be built: call it on a batch first, or give it an "
                    f"input shape. Received: {layer}, which is not built"
                )
        if not self.trainable:
            raise ValueError(
                "The model must have trainable weights, by which to take the gradient. "
                f"Received: model={model}"
            )

    @property
    def layers(self):
        """All of them, however deep."""
        return [each for layer in self._outer for each in keras_trainer.layers(layer)]

    @property
    def trainable(self):
        single = [v for v in self._single if v.trainable]
        return _unique(*(layer.trainable_weights for layer in self._outer), single)

    @property
    def trained(self):
        """Without those of float8 training that are overwritten."""
        return [v for v in self.trainable if not v.overwrite_with_gradient]

    @property
    def non_trainable(self):
        trainable = set(map(id, self.trainable))
        found = _unique(*(layer.variables for layer in self._outer), self._single)
        return [v for v in found if id(v) not in trainable]

    @property
    def owned(self):
        """All weights, without seeds and metrics."""
        return _unique(*(layer.weights for layer in self._outer), self._single)


class When:
    """What a rho over time asks of an optimizer."""

    def __init__(self, iterations, learning_rate):
        self.iterations, self._learning_rate = iterations, learning_rate

    @property
    def learning_rate(self):
        if self._learning_rate is None:
            raise ValueError(
                "This `rho` or `method` follows the learning rate: give each call "
                "`learning_rate`. "
                "Received: learning_rate=None"
            )
        return ops.convert_to_tensor(self._learning_rate, keras.config.floatx())


def _unique(*lists):
    return list({id(v): v for variables in lists for v in variables}.values())


def pairs(name, variables, values):
    """Each variable with its value."""
    values = list(values)
    if len(values) != len(variables):
        raise ValueError(
            f"`{name}` must have a value for each of {len(variables)} variables. "
            f"Received: {len(values)} values"
        )
    return list(zip(variables, values))


def batch_size_of(data):
    """An integer, or `None` where it is not known, or there is nothing with rows."""
    shapes = [getattr(t, "shape", ()) for t in keras.tree.flatten(data)]
    return next((shape[0] for shape in shapes if len(shape)), None)

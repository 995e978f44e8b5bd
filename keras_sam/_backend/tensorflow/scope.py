"""What a pass assigns, and the gradients through what it assigns, on TensorFlow."""

import keras
import tensorflow as tf


class Scope(keras.StatelessScope):
    """Remembers which variables were assigned, and mirrors the tape on variables.

    A trainable variable that a layer assigns in `call` (spectral normalization does) is
    for TensorFlow's tape the same source before and after: its gradient is the sum over
    both values, and none flows through the assignment.
    """

    def __init__(self, variables, weights, values, state, tape):
        super().__init__([*zip(variables, values), *state], collect_losses=True)
        self.sources = {id(v): [w] for v, w in zip(variables, weights)}
        self.tape = tape
        self.graph = _current_graph()
        self.updates = {}

    def add_update(self, update):
        variable, value = update
        if _current_graph() is not self.graph:
            raise ValueError(
                "A layer assigns a variable inside a `tf.function`, a TensorFlow loop or "
                "a branch of its own. A sharpness-aware step runs the layer twice and "
                "keeps the first pass's value, which cannot leave that inner graph. "
                "Assign the variable (or draw from the `SeedGenerator`) outside of it. "
                f"Received: variable={variable.path}"
            )
        if id(variable) in self.sources:
            value = tf.stop_gradient(value)
            self.tape.watch(value)
            self.sources[id(variable)].append(value)
        self.updates[id(variable)] = (variable, value)
        super().add_update((variable, value))

    def gradients(self, target, output_gradients=None, inputs=()):
        """Of a tensor or a list of them, for each variable and then for each input."""
        sources = [list(self.sources.values()), list(inputs)]
        gradients, of_inputs = self.tape.gradient(target, sources, output_gradients)
        return [*map(_total, gradients), *of_inputs]


def _total(gradients):
    gradients = [g for g in gradients if g is not None]
    if len(gradients) > 1:
        return tf.add_n([tf.convert_to_tensor(g) for g in gradients])
    return gradients[0] if gradients else None


def _current_graph():
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

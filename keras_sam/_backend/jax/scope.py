"""Scopes of variables in scopes of variables, and the distribution's mesh."""

import keras
from keras.src.backend.common.stateless_scope import get_stateless_scope


class InnerScope(keras.StatelessScope):
    """Begins with the values of the scope around it, and remembers what was assigned.

    As plain training, it forgets what is assigned to a trainable variable.

    In Keras's own, a variable that is not in the mapping has the value outside of all
    scopes, which in a compiled step is not there. The current scope has no public name.
    """

    def __init__(self, pairs, trainable):
        super().__init__(pairs, collect_losses=True)
        self.trainable = set(map(id, trainable))
        self.state_mapping = {**get_stateless_scope().state_mapping, **self.state_mapping}
        self.updates = {}

    def add_update(self, update):
        if id(update[0]) not in self.trainable:
            self.updates[id(update[0])] = update
        super().add_update(update)

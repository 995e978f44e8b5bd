"""What is remembered, as a file holds it: arrays, and whose they are."""

import json

import numpy as np

OWNERS = "owners"


class Remembered:
    """Arrays of what the rules of a step remember.

    Args:
        owners: Dict that says by rule what they are of, for the rules that remember
            something: the `"class"` of the rule as Keras registers it, and the numbers of
            the `"weights"` that it saw, among the model's. `None` where a file does not
            say, as those of version 0.1.0 do not.
        values: List of arrays, with an axis of replicas before the others.
    """

    def __init__(self, owners, values):
        self.owners = owners
        self.values = values

    @classmethod
    def read(cls, store):
        """From Keras's store of variables, which holds numbers alone."""
        keys = set(store.keys())
        values = [store[str(i)][()] for i in range(len(keys - {OWNERS}))]
        owners = None
        if OWNERS in keys:
            owners = json.loads(np.asarray(store[OWNERS][()], "uint8").tobytes())
        return cls(owners, values)

    def write(self, store):
        for i, value in enumerate(self.values):
            store[str(i)] = value
        if self.values and self.owners is not None:
            text = json.dumps(self.owners).encode()
            store[OWNERS] = np.frombuffer(text, "uint8")

    def difference(self, owners, tensors):
        """Why others cannot take this over, in the words of an error, or `None`.

        Args:
            owners: Dict as of the constructor.
            tensors: Dict of lists of tensors without the axis of replicas, by rule.
        """
        if self.owners is not None and self.owners != owners:
            theirs, ours = (
                {rule: owner["class"] for rule, owner in each.items()}
                for each in (self.owners, owners)
            )
            if theirs != ours:
                return f"Received: {theirs}, expected: {ours}"
            return "Received: the same rules, with other weights to train or to perturb"
        theirs = [np.shape(value)[1:] for value in self.values]
        ours = [tuple(tensor.shape) for rule in tensors.values() for tensor in rule]
        if theirs == ours:
            return None
        different = [pair for pair in zip(theirs, ours) if pair[0] != pair[1]]
        if different:
            return f"Received: shape={different[0][0]}, expected: shape={different[0][1]}"
        return f"Received: {len(theirs)} tensors, expected: {len(ours)}"

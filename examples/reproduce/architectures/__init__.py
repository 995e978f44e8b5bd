"""The networks of the paper's experiments, as functions that return a `keras.Model`.

Each takes images that are normalised already, channels last, and gives logits.
"""

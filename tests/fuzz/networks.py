"""Networks that hypothesis draws: plain values, and what is built of them."""

import dataclasses

import keras
import numpy as np
from hypothesis import strategies as st
from keras import layers, ops

UNITS = 4
SHAPES = {"rows": (6,), "images": (6, 6, 2), "tokens": (5,), "series": (5, 3)}
WORDS, CLASSES = 7, 3


@keras.saving.register_keras_serializable("tests.fuzz")
class Penalized(layers.Layer):
    """Adds a loss that depends on what comes in."""

    def call(self, x):
        self.add_loss(0.01 * ops.mean(ops.square(x)))
        return x


@keras.saving.register_keras_serializable("tests.fuzz")
class Attention(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(2, 3)

    def build(self, shape):
        self.attention.build(shape, shape)

    def call(self, x):
        return x + self.attention(x, x)


@keras.saving.register_keras_serializable("tests.fuzz")
class Twice(layers.Layer):
    """One layer in two places."""

    def build(self, shape):
        self.dense = layers.Dense(shape[-1], "tanh")
        self.dense.build(shape)

    def call(self, x):
        return self.dense(self.dense(x))


def nested(drawn):
    return keras.Sequential([layers.Dense(UNITS), layers.LayerNormalization()])


# What goes with each kind of tensor. Each is a function of the `Network`, for its options.
ANY = {
    "batch norm": lambda n: layers.BatchNormalization(),
    "layer norm": lambda n: layers.LayerNormalization(),
    "activity": lambda n: layers.ActivityRegularization(l2=0.01),
    "add_loss": lambda n: Penalized(),
}
RANDOM = {
    "dropout": lambda n: layers.Dropout(0.3, seed=n.seed),
    "noise": lambda n: layers.GaussianNoise(0.1, seed=n.seed),
}
BLOCKS = {
    "rows": {
        "dense": lambda n: layers.Dense(UNITS, "relu", kernel_regularizer=n.penalty()),
        "without bias": lambda n: layers.Dense(5, use_bias=False),
        "twice": lambda n: Twice(),
        "nested": nested,
        **ANY,
    },
    "images": {
        "convolution": lambda n: layers.Conv2D(
            4, 3, padding="same", kernel_regularizer=n.penalty()
        ),
        "depthwise": lambda n: layers.DepthwiseConv2D(3, padding="same"),
        "group norm": lambda n: layers.GroupNormalization(2),
        "pooling": lambda n: layers.MaxPooling2D(2, padding="same"),
        **ANY,
    },
    "series": {
        "lstm": lambda n: layers.LSTM(4, return_sequences=True),
        "gru": lambda n: layers.GRU(4, return_sequences=True),
        "recurrent": lambda n: layers.SimpleRNN(4, return_sequences=True),
        "both ways": lambda n: layers.Bidirectional(layers.GRU(2, return_sequences=True)),
        "dropping": lambda n: layers.LSTM(
            4, return_sequences=True, dropout=0.2, recurrent_dropout=0.2, seed=n.seed
        ),
        "attention": lambda n: Attention(),
        "convolution": lambda n: layers.Conv1D(4, 3, padding="same"),
        **ANY,
    },
}
# Layers that may be frozen: of one within another, Keras's files do not keep that.
SINGLE = layers.Dense, layers.Conv1D, layers.Conv2D, layers.BatchNormalization
# Those that work with the examples of a batch together, or draw: groups see them anew.
TOGETHER = {"batch norm", "dropping", *RANDOM}
# To rows.
ENDS = {
    "rows": lambda: layers.Identity(),
    "images": lambda: layers.Flatten(),
    "series": lambda: layers.GlobalAveragePooling1D(),
}
# Units and loss. A loss has the precision of when it is made.
HEADS = {
    "classes": (
        CLASSES,
        lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ),
    "values": (2, keras.losses.MeanSquaredError),
    "yes or no": (1, lambda: keras.losses.BinaryCrossentropy(from_logits=True)),
    "robust": (2, keras.losses.LogCosh),
    "huber": (2, keras.losses.Huber),
    "direction": (3, keras.losses.CosineSimilarity),
    "margin": (1, keras.losses.SquaredHinge),
}


@dataclasses.dataclass(frozen=True)
class Network:
    """What a network is built of.

    Attributes:
        branches: Tuple of pairs, the kind of an input and the names of its blocks.
        joint: Tuple of names, the blocks after the branches have met.
        heads: Tuple of names.
        frozen: Integer, the index of a layer with weights that is not trained, or `None`.
        seed: Integer or `None`, that of dropout and noise.
        penalized: Bool, whether some kernels have a regularizer.
    """

    branches: tuple
    joint: tuple
    heads: tuple
    frozen: int | None
    seed: int | None
    penalized: bool

    def penalty(self):
        return keras.regularizers.L2(0.01) if self.penalized else None

    def build(self):
        """The inputs and outputs."""
        inputs, ends = [], []
        for kind, names in self.branches:
            dtype = "int32" if kind == "tokens" else None
            x = keras.Input(SHAPES[kind], dtype=dtype)
            inputs.append(x)
            if kind == "tokens":
                x, kind = layers.Embedding(WORDS, UNITS)(x), "series"
            for name in names:
                x = (BLOCKS[kind] | RANDOM)[name](self)(x)
            ends.append(ENDS[kind]()(x))
        x = layers.Concatenate()(ends) if len(ends) > 1 else ends[0]
        for name in self.joint:
            x = (BLOCKS["rows"] | RANDOM)[name](self)(x)
        outputs = [layers.Dense(HEADS[name][0])(x) for name in self.heads]
        model = keras.Model(inputs, outputs)
        single = [layer for layer in model.layers if isinstance(layer, SINGLE)]
        if self.frozen is not None and len(single) > len(outputs):
            single[self.frozen % (len(single) - len(outputs))].trainable = False
        return _alone(inputs), _alone(outputs)

    @property
    def losses(self):
        return _alone([HEADS[name][1]() for name in self.heads])

    def data(self, n):
        """So many examples and labels."""
        rng = np.random.default_rng(0)
        return (
            _alone([_examples(rng, kind, n) for kind, _ in self.branches]),
            _alone([_labels(rng, head, n) for head in self.heads]),
        )


def _alone(items):
    return items[0] if len(items) == 1 else list(items)


def _examples(rng, kind, n):
    if kind == "tokens":
        return rng.integers(0, WORDS, (n, *SHAPES[kind])).astype("int32")
    return rng.normal(size=(n, *SHAPES[kind])).astype("float32")


def _labels(rng, head, n):
    if head == "classes":
        return rng.integers(0, CLASSES, n)
    values = rng.normal(size=(n, HEADS[head][0]))
    return (values > 0 if HEADS[head][0] == 1 else values).astype("float32")


@st.composite
def networks(draw, apart=False, seeded=False):
    """`Network`s.

    Args:
        apart: Bool. Whether each example has the loss that it has by itself.
        seeded: Bool. Whether all that draws has a seed of its own.
    """
    left_out = TOGETHER if apart else set()

    def blocks(kind, most):
        names = sorted((BLOCKS[kind].keys() | RANDOM.keys()) - left_out)
        return tuple(draw(st.lists(st.sampled_from(names), max_size=most)))

    kinds = draw(st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=2))
    series = {"tokens": "series"}
    return Network(
        branches=tuple((kind, blocks(series.get(kind, kind), 3)) for kind in kinds),
        joint=blocks("rows", 2),
        heads=tuple(draw(st.lists(st.sampled_from(sorted(HEADS)), min_size=1, max_size=2))),
        frozen=draw(st.none() | st.integers(0, 4)),
        seed=draw(st.integers(0, 3) if seeded else st.none() | st.integers(0, 3)),
        penalized=draw(st.booleans()),
    )

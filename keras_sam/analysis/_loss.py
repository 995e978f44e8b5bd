"""The loss of a compiled model on data, as a function of some of its weights."""

import functools

import keras
import numpy as np
from keras import ops

from keras_sam import _backend
from keras_sam._backend import keras_trainer
from keras_sam.analysis._checks import check_data, check_masks, check_model
from keras_sam.ascents.selection import Selection
from keras_sam.norms import accurate, norm

# How a product is taken where the backend has no second derivative.
DIFFERENCES = "central differences"


class Loss:
    """L(w), its gradient and products with its Hessian, batch by batch.

    Nothing of the model is written: it reads tensors in the place of its variables.

    Args:
        model: A compiled `keras.Model`.
        data: Tuple `(x, y, sample_weight)` as `fit` takes them. They are read again for
            each evaluation.
        batch_size: Integer, the number of examples in memory at a time.
        variables: Of which weights it is a function, as for `keras_sam.ascents.Ascent`.
        training: Bool. Whether the model runs as in training, with batch statistics and
            dropout, or as in inference.

    Attributes:
        variables: List of the Keras variables of which it is a function.
        weights: List of tensors, their values.
        examples: Integer, the number of examples, once data have been read.
        products: Integer, how many products were taken.
        how: String, how products are taken, once one was.
    """

    def __init__(self, model, data, batch_size, variables=None, training=False):
        check_model(model)
        check_data(data[0])
        self._model, self._training = model, training
        self._data, self._batch_size = data, batch_size
        self._layers = keras_trainer.layers(model)
        self.variables = trained = model.trainable_variables
        if variables is not None:
            self.variables = Selection.of(variables).chosen(trained, self._layers)
        ours = set(map(id, self.variables))
        self._others = [v for v in model.variables if id(v) not in ours]
        with _backend.model_scope(model):
            self.weights = _backend.read(self.variables)
            self._rest = _backend.read(self._others)
        self.examples, self.products, self.how = None, 0, None
        self._compiled = {}

    @property
    def size(self):
        """The number of weights."""
        return sum(int(np.prod(v.shape)) for v in self.variables)

    def batches(self):
        """The batches: pairs of the number of examples and nested tensors."""
        count = 0
        for batch in keras_trainer.batches(*self._data, self._batch_size):
            size = keras_trainer.static_batch_size(batch)
            count += size
            yield size, keras.tree.map_structure(_tensor, batch)
        if not count:
            raise ValueError("There are no examples. Received: empty data")
        self.examples = count

    def value(self, weights, batch=None):
        """The loss at these weights, a float: on all data, or on one of the batches."""
        (value,) = self._mean("value", batch, weights)
        return _number(value)

    def gradient(self, weights, batch=None):
        """The loss at these weights, and its gradient: a list of tensors."""
        value, *gradient = self._mean("gradient", batch, weights)
        return _number(value), gradient

    def product(self, vectors):
        """The Hessian at the model's weights times vectors, lists as the weights.

        How it is taken is chosen by the first one: by the backend's own differentiation,
        or where a layer cannot be differentiated twice, by central differences. An error of
        the model's own is raised by the last; one of memory, at once.
        """
        self.products += 1
        if self.how is not None:
            return self._product(self.how, vectors)
        for how in _backend.PRODUCTS:
            try:
                products = self._product(how, vectors)
            except Exception as error:  # Each backend has its own.
                if _backend.out_of_memory(error):
                    raise
                continue
            self.how = how
            return products
        products = self._product(DIFFERENCES, vectors)
        self.how = DIFFERENCES
        return products

    def _product(self, how, vectors):
        if how != DIFFERENCES:
            return self._mean(how, None, self.weights, vectors)
        lengths = [float(ops.convert_to_numpy(norm(ts))) for ts in (self.weights, vectors)]
        if not lengths[1]:
            return [ops.zeros_like(v) for v in vectors]
        # The error of rounding grows with 1 / step, that of the formula with its square.
        epsilon = np.finfo(accurate(self.weights)).eps
        step = epsilon ** (1 / 3) * (1 + lengths[0]) / lengths[1]
        ends = []
        for sign in (1, -1):
            there = [w + sign * step * v for w, v in zip(self.weights, vectors)]
            ends.append(self.gradient(there)[1])
        return [(a - b) / (2 * step) for a, b in zip(*ends)]

    def _mean(self, what, batch, weights, vectors=()):
        """The mean over the examples of all batches, or of one, of what is asked for."""
        if what not in self._compiled:
            run = functools.partial(self._of_batch, what)
            self._compiled[what] = _backend.compiled(run)
        run, total, count = self._compiled[what], None, 0
        for size, each in self.batches() if batch is None else [(1, batch)]:
            found = run(self._rest, each, weights, list(vectors))
            terms = [size * t for t in found]
            total = terms if total is None else [a + t for a, t in zip(total, terms)]
            count += size
        return [t / count for t in total]

    def _of_batch(self, what, rest, batch, weights, vectors):
        def fn(weights):
            pairs = [*zip(self._others, rest), *zip(self.variables, weights)]
            with _backend.reading(self._layers, pairs):
                x, y, sample_weight = batch
                y_pred = keras_trainer.predict(self._model, x, self._training)
                loss = keras_trainer.compute_loss(
                    self._model, x, y, sample_weight, y_pred, self._training
                )
            check_masks(keras.tree.map_structure(keras_trainer.mask, y_pred))
            return loss

        if what == "value":
            return [fn(weights)]
        if what == "gradient":
            value, gradient = _backend.gradient_of(fn, weights)
            return [value, *gradient]
        return _backend.product_of(fn, weights, vectors, what)


def _tensor(array):
    return None if array is None else ops.convert_to_tensor(array)


def _number(scalar):
    return float(ops.convert_to_numpy(scalar))

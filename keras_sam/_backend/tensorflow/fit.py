"""What Keras's `fit` lacks for groups of examples and for several workers."""

import functools

import keras
import tensorflow as tf
from keras.src.trainers.data_adapters import TFDatasetAdapter

from keras_sam._backend import base, keras_trainer


class Fit(base.Fit):
    """Keras's trainer, with a look at the size of the batches before the first step."""

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """The one place where `fit` and `evaluate` have their data and no step has run.

        Keras builds a model of a strategy on the mean of the replicas' batches, which
        fails where they differ in size or belong to several workers.
        """
        _check_strategy(self.distribute_strategy)
        if iterator is not None:
            data_batch = self._first_batch(iterator)
            size = _batch_size(iterator.data_adapter)
            self._see_batch_size(
                size if data_batch is None else keras_trainer.static_batch_size(data_batch)
            )
        super()._maybe_symbolic_build(data_batch=data_batch)
        if self.built:
            self._see_weights()

    def _make_function(self, step_function):
        """Keras takes the mean of several workers' logs over an axis that they lack."""
        strategy = self.distribute_strategy
        multi_worker = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        if multi_worker and strategy.extended._in_multi_worker_mode():
            step_function = _with_axis(step_function)
        return super()._make_function(step_function)

    def _first_batch(self, iterator):
        """This worker's first replica's, or `None` where nobody has to know it."""
        adapter = iterator.data_adapter
        unknown = _batch_size(adapter) is None and isinstance(adapter, TFDatasetAdapter)
        if self._distribute_strategy is None and not (unknown and self._needs_batch_size):
            return None
        batch = next(next(batches for *_, batches in iterator))
        results = self.distribute_strategy.experimental_local_results
        return keras.tree.map_structure(lambda t: results(t)[0], batch)


def _batch_size(adapter):
    """What Keras knows of it, which fails on a dataset that is distributed already."""
    if isinstance(adapter.get_tf_dataset(), tf.distribute.DistributedDataset):
        return None
    return adapter.batch_size


def _check_strategy(strategy):
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        raise ValueError(
            "Keras 3 does not train under `tf.distribute.ParameterServerStrategy`. Use "
            "`MirroredStrategy`, `MultiWorkerMirroredStrategy` or `TPUStrategy`. "
            f"Received: strategy={strategy}"
        )


def _with_axis(step_function):
    @functools.wraps(step_function)
    def step(data):
        return keras.tree.map_structure(lambda v: v[tf.newaxis], step_function(data))

    return step

"""Keras's trainer where the size of each batch is known when its step begins."""

from keras_sam._backend import base


class Fit(base.Fit):
    """Keras's trainer, with a look at the size of the batches before the first step."""

    def _symbolic_build(self, iterator=None, data_batch=None):
        """The one place where `fit` has its data and no step has run."""
        if iterator is not None:
            self._see_batch_size(self._batch_size(iterator))
        super()._symbolic_build(iterator=iterator, data_batch=data_batch)
        self._see_weights()

    def _batch_size(self, iterator):
        return iterator.data_adapter.batch_size

"""The sharpness of a model, in the logs of its training."""

import keras

from keras_sam.analysis import sharpness
from keras_sam.validation import count


class SharpnessMonitor(keras.callbacks.Callback):
    """Measures the sharpness of a model at the ends of epochs, into the logs.

    The logs get three entries: `worst_rise`, `average_rise` and `random_rise`, which are
    `worst`, `average` and `random` of `keras_sam.analysis.sharpness`. So `History` and
    `TensorBoard` have them, as does whatever comes after this callback in the list
    (`CSVLogger` above all). In epochs between, they are those of the last measurement, as
    `CSVLogger` wants the same entries each time; before the first, not a number. A callback
    that has one of them as its `monitor` needs `mode="min"`.

    Args:
        x: Data to measure it on, as for `keras_sam.analysis.sharpness`.
        y: Targets, where `x` does not have them.
        every: Integer, the epochs from one measurement to the next. The last epoch has one,
            too. Defaults to `1`.
        **kwargs: Arguments of `keras_sam.analysis.sharpness`: `rho`, `m`, `metric`...

    Raises:
        ValueError: if `every` is not of this form; in training, as of
            `keras_sam.analysis.sharpness`.

    Example:

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((32, 8)), np.ones((32, 1))
    >>> monitor = keras_sam.callbacks.SharpnessMonitor(x, y, rho=0.05)
    >>> history = model.fit(x, y, callbacks=[monitor], verbose=0)
    >>> sorted(history.history)
    ['average_rise', 'loss', 'random_rise', 'worst_rise']
    """

    def __init__(self, x, y=None, *, every: int = 1, **kwargs):
        super().__init__()
        self.data, self.settings = (x, y), {"verbose": 0, **kwargs}
        self.every = count("every", every)
        self.last = dict.fromkeys(("worst", "average", "random"), float("nan"))

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every == 0 or last:
            found = sharpness(self.model, *self.data, **self.settings)
            self.last = {name: getattr(found, name) for name in self.last}
        if logs is not None:
            logs.update({f"{name}_rise": value for name, value in self.last.items()})

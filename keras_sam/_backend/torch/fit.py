"""What Keras's trainer on PyTorch lacks: a word of other processes, and files that other
backends can read."""

from keras_sam._backend import fit
from keras_sam._backend.torch.processes import warn_of_fit


class Fit(fit.Fit):
    """Keras's trainer, whose files name optimizers by their public module.

    On PyTorch an optimizer is made a class of that backend's own, for which a plain
    model's file would ask on any other.
    """

    def make_train_function(self, force=False):
        warn_of_fit()
        super().make_train_function(force=force)

    def get_compile_config(self):
        return _public(super().get_compile_config())


def _public(config):
    if not isinstance(config, dict):
        return config
    config = {name: _public(value) for name, value in config.items()}
    if str(config.get("module")).startswith("keras.src.backend.torch.optimizers"):
        config |= {"module": "keras.optimizers", "registered_name": None}
    return config

"""The lines of Keras's `train_step` that have no public name.

They mirror `keras.src.backend.*.trainer` (Keras 3.10 to 3.15): the loss of plain
`fit` and of a sharpness-aware one have to be the same to the last bit.
"""

import keras
from keras.src.backend.common.global_state import get_global_attribute
from keras.src.backend.common.masking import get_keras_mask, set_keras_mask
from keras.src.backend.common.stateless_scope import in_stateless_scope
from keras.src.losses.loss import unscale_loss_for_distribution
from keras.src.models.functional import Functional
from keras.src.trainers.compile_utils import MetricsList
from keras.src.trainers.epoch_iterator import EpochIterator

__all__ = ["Functional", "unscale_loss_for_distribution"]
# The attributes in which a model has its training: what Keras's trainers set of it.
STATE = (
    "_compile_config",
    "_compile_loss",
    "_compile_metrics",
    "_compiled_trainable_state",
    "_compute_loss_has_training_arg",
    "_distribute_reduction_method",
    "_distribute_strategy",
    "_distributed_dataset",
    "_eval_epoch_iterator",
    "_initial_epoch",
    "_jax_state",
    "_jax_state_synced",
    "_jit_compile",
    "_lock",
    "_loss_tracker",
    "_metrics_variable_shardings",
    "_non_trainable_variable_shardings",
    "_optimizer_variable_shardings",
    "_run_eagerly",
    "_trainable_variable_shardings",
    "compiled",
    "history",
    "loss",
    "optimizer",
    "predict_function",
    "steps_per_execution",
    "stop_evaluating",
    "stop_predicting",
    "stop_training",
    "test_function",
    "train_function",
    "unrolled_steps_per_execution",
)


def predict(model, x, training=True):
    """The forward pass, by default in training mode."""
    # `_call_has_training_arg`: a `call` may or may not take `training`.
    kwargs = {"training": training} if model._call_has_training_arg else {}
    return model(x, **kwargs)


def compute_loss(model, x, y, sample_weight, y_pred, training=True):
    """The loss of predictions that the forward pass has given."""
    # `_compute_loss`: an overridden `compute_loss` may or may not take `training`.
    return model._compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
    )


def mask(tensor):
    """The mask with which Keras weighs the loss of a prediction, or `None`."""
    return get_keras_mask(tensor)


def with_mask(tensor, mask):
    """The tensor, with that mask if there is one."""
    if mask is not None:
        set_keras_mask(tensor, mask)
    return tensor


def update_loss(model, loss, batch_size):
    """Updates the `loss` of the logs, which has no public accessor."""
    model._loss_tracker.update_state(
        unscale_loss_for_distribution(loss), sample_weight=batch_size
    )


def batch_size(x):
    return keras.ops.shape(_first(x))[0]


def static_batch_size(x):
    """An integer, or `None` where it is not known before the step runs."""
    return _first(x).shape[0]


def _first(x):
    return next(i for i in keras.tree.flatten(x) if i is not None)


def flatten_logs(model, logs):
    """The list that `train_on_batch` returns, in the order of `metrics_names`."""
    return model._flatten_metrics_in_order(logs)


def scale_loss(model, loss):
    """Loss scaling, which Keras leaves out where there is no optimizer."""
    return loss if model.optimizer is None else model.optimizer.scale_loss(loss)


def gradient_scale(model):
    """What the loss is multiplied by when its gradient is taken: a tensor, or `1.0`."""
    one = keras.ops.ones(())
    replicas = unscale_loss_for_distribution(one)
    scale = scale_loss(model, 1.0)
    return scale if replicas is one else scale / replicas


class LowerIsBetter(MetricsList):
    """A mean of which callbacks that watch it know that it is better the lower it is.

    `EarlyStopping` and its kin ask the metrics in a `MetricsList`, and no others, for a
    `_direction`. There is no public way to say it.
    """

    def __init__(self, name):
        mean = keras.metrics.Mean(name=name)
        mean._direction = "down"
        super().__init__([mean], name=name)

    @property
    def variables(self):
        return self.metrics[0].variables

    def update_state(self, value, sample_weight=None):
        self.metrics[0].update_state(value, sample_weight=sample_weight)

    def result(self):
        return self.metrics[0].result()


def training_model(training):
    """The compiled model whose training calls this layer, or `None`.

    Keras has no public name for the call that is under way. On JAX its trainer calls the
    outermost model's `call`, which leaves no more to be seen than that it is stateless.

    Args:
        training: The argument `training` of the layer's call, or `None`.
    """
    context = get_global_attribute("current_call_ctx")
    if context is not None:
        training = getattr(context, "training", None)
        outer = context.entry_layer
        outer = outer if getattr(outer, "compiled", False) else None
    else:
        outer = "a model of JAX" if in_stateless_scope() else None
    # Where a model's `call` has no argument `training`, its layers are not told.
    return None if training is False else outer


def layers(model):
    """The model and all layers in it, however deep."""
    return model._flatten_layers()


def check_compiled(model):
    model._assert_compile_called("train_step")
    if model.optimizer is None and model.trainable_weights:
        raise ValueError(
            'Training needs an optimizer: `model.compile(optimizer="sgd", ...)`. '
            "Received: optimizer=None"
        )


def build(model, data):
    """Builds what is not built yet: the step has to know the weights before it runs."""
    if not all(layer.built for layer in layers(model)):
        model._symbolic_build(data_batch=data)


def build_optimizer(model):
    """Before the passes: until it is built, a loss is scaled in another way."""
    if model.trainable_weights and not model.optimizer.built:
        model.optimizer.build(model.trainable_weights)


def batches(x, y, sample_weight, batch_size):
    """An iterable of `(x, y, sample_weight)` in arrays, of whatever `fit` takes.

    Keras has no public name for what its trainers read data with.
    """
    data = EpochIterator(x, y, sample_weight, batch_size=batch_size, shuffle=False)
    data.data_adapter.on_epoch_begin()
    for batch in data.data_adapter.get_numpy_iterator():
        yield keras.utils.unpack_x_y_sample_weight(batch)
    data.data_adapter.on_epoch_end()

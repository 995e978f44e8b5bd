"""What a model cannot have where groups of its batch are run one after the other."""

import keras

from keras_sam._backend import trainer


def check_groups(model, replicas):
    """Refuses what would be another model, or another loss, group by group.

    Args:
        model: A compiled `keras.Model`.
        replicas: Integer, the number of replicas.

    Raises:
        ValueError: if a loss is a sum over the batch, if a recurrent layer has a state for
            each of the batch's examples, or if batch statistics span several replicas.
    """
    for loss in keras.tree.flatten(model.loss):
        if getattr(loss, "reduction", None) == "sum":
            _refuse(
                "each loss has to be a mean over examples, of which groups have few. Use "
                '`reduction="sum_over_batch_size"` and a higher learning rate',
                f"loss={loss.name} with reduction={loss.reduction}",
            )
    for layer in trainer.layers(model):
        if getattr(layer, "stateful", False):
            _refuse(
                "a recurrent layer cannot keep a state for each example of the batch. "
                "Use `stateful=False`",
                f"layer={layer.name} with stateful=True",
            )
        if replicas > 1 and getattr(layer, "synchronized", False):
            _refuse(
                "batch statistics cannot be those of all replicas, which are not in the "
                "same group at a time. Use `synchronized=False`, or `m=None`",
                f"layer={layer.name} with synchronized=True on {replicas} replicas",
            )


def _refuse(reason, received):
    raise ValueError(
        "Where a batch is taken in groups (for `m`, or for the replicas of a "
        f"`keras.distribution`), {reason}. Received: {received}"
    )

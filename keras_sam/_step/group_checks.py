"""What a model cannot have where groups of its batch are run one after the other."""

import keras


def check_groups(objective, geometry, batch_size, memories):
    """Refuses what would be another model, or another loss, group by group.

    Args:
        objective: The `Objective`.
        geometry: The `Geometry` of the batch.
        batch_size: Integer, the number of its examples, or `None` if it is unknown.
        memories: Integer, the number of replicas whose memories are in one call.

    Raises:
        ValueError: if a loss is a sum over the batch or a mean by its weights, if a
            recurrent layer has a state for each of the batch's examples, if batch
            statistics span several replicas, or if the batch is too small for a memory of
            each replica.
    """
    if memories > 1 and (geometry.group is None or batch_size < 2 * geometry.group):
        raise ValueError(
            "Each replica has a memory of its own here, and this batch is no more than one "
            "of their groups. Leave the short last batch out (`drop_remainder=True`). "
            f"Received: {batch_size} examples on {geometry.shards} replicas"
        )
    for loss in keras.tree.flatten(objective.losses):
        if getattr(loss, "reduction", None) in ("sum", "mean_with_sample_weight"):
            _refuse(
                "each loss has to be a mean over examples, of which groups have few. Use "
                '`reduction="sum_over_batch_size"` and a higher learning rate',
                f"loss={loss.name} with reduction={loss.reduction}",
            )
    replicas = geometry.replicas
    for layer in objective.layers:
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


def check_masks(masks):
    """Refuses predictions that have a mask.

    Keras divides such a loss by the number of entries that are not masked, of which each
    group has its own: the mean of theirs is another loss.

    Raises:
        ValueError: if there is one.
    """
    if any(mask is not None for mask in keras.tree.flatten(masks)):
        _refuse(
            "a prediction cannot have a mask, by whose entries each group would weigh its "
            'loss. Use `m=None` (`m="global"` on several devices of JAX), or remove the '
            "mask and give `sample_weight`",
            "a prediction with a mask",
        )


def _refuse(reason, received):
    raise ValueError(
        "Where a batch is taken in groups (for `m`, or for the replicas of a "
        f"`keras.distribution`), {reason}. Received: {received}"
    )

"""Errors for models and losses that cannot be analysed batch by batch."""

import keras


def check_model(model):
    """Raises where the model has no loss, or one that is no mean over examples."""
    if not isinstance(model, keras.Model) or not model.compiled:
        raise ValueError(
            "`model` must be a compiled `keras.Model`: its loss is what is analysed. "
            f"Received: model={model}"
        )
    if not model.built or not model.trainable_variables:
        raise ValueError(
            f"`model` must be built, and have trainable weights. Received: model={model}"
        )
    for loss in keras.tree.flatten(model.loss):
        if getattr(loss, "reduction", None) in ("sum", "mean_with_sample_weight"):
            raise ValueError(
                "Each loss has to be a mean over examples, as batches are averaged. Use "
                '`reduction="sum_over_batch_size"`. '
                f"Received: loss={loss.name} with reduction={loss.reduction}"
            )


def check_data(x):
    """Raises where data can be read once only."""
    if hasattr(x, "__next__"):
        raise ValueError(
            "`x` must be something that can be read again: arrays, a `tf.data.Dataset`, a "
            f"`keras.utils.PyDataset`, but no generator. Received: x={x}"
        )


def check_masks(masks):
    """Raises where a prediction has a mask."""
    if any(mask is not None for mask in keras.tree.flatten(masks)):
        raise ValueError(
            "A prediction has a mask, by whose entries each batch would weigh its loss "
            "otherwise. Give `sample_weight` in its place. "
            "Received: a prediction with a mask"
        )


def check_finite(loss):
    """Raises where the loss at the model's weights is not finite."""
    if not -float("inf") < loss < float("inf"):
        raise ValueError(
            "The loss must be finite at the model's weights. "
            f"Received: a loss of {loss} on these data"
        )

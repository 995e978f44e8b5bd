"""Published weights of EfficientNets, to fine-tune from."""

from architectures.efficientnet import efficientnet


def pretrained(variant, path):
    """The network for the 1,000 classes of ImageNet, with weights from a file.

    For B7, `keras.applications.EfficientNetB7()` is such a network too, and brings weights
    with it (from training with AutoAugment, where the paper has RandAugment).

    Args:
        variant: `B7` or `L2` of `efficientnet.py`, or a dict like them.
        path: Path of a `.weights.h5` file that was saved from such a network. See
            `convert_timm.py`.
    """
    model = efficientnet(**variant, classes=1000)
    model.load_weights(path)
    return model


def copy_weights(source, model, head):
    """Gives an EfficientNet the weights of another, layer by layer.

    Args:
        source: `keras.Model` that has all of the model's layers, by name: of `pretrained`,
            or of `keras.applications`.
        model: `keras.Model` of `efficientnet`.
        head: Bool. Whether the last layer is copied too.

    Raises:
        ValueError: if a layer has another shape in `source`, or is not there.
    """
    for layer in model.layers:
        if layer.weights and (head or layer.name != "predictions"):
            layer.set_weights(source.get_layer(layer.name).get_weights())

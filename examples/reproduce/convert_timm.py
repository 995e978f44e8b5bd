"""Makes a file of weights of an EfficientNet from those that timm publishes.

    pip install timm
    python convert_timm.py tf_efficientnet_b7.ra_in1k b7.weights.h5
    python convert_timm.py tf_efficientnet_l2.ns_jft_in1k_475 l2.weights.h5

The first is the paper's start for B7 (84.7 % on ImageNet, from training with RandAugment),
the second its start for L2 (88.2 %, from Noisy Student).
"""

import argparse

from architectures.efficientnet import B7, L2, efficientnet


def convert(state, model):
    """Gives a network of `efficientnet` the weights of one of timm.

    Args:
        state: Dict of names and arrays, timm's `state_dict`.
        model: `keras.Model`.
    """
    for layer in model.layers:
        if layer.weights:
            module = _module(layer.name)
            arrays = {
                name.rpartition(".")[2]: array
                for name, array in state.items()
                if name.rpartition(".")[0] == module
            }
            layer.set_weights(_arrays(arrays, depthwise=layer.name.endswith("dwconv")))


def _module(name):
    """timm's name of a layer."""
    block, _, part = name.partition("_")
    if not block.startswith("block"):
        names = {"stem_conv": "conv_stem", "stem_bn": "bn1", "top_conv": "conv_head"}
        return {**names, "top_bn": "bn2", "predictions": "classifier"}[name]
    stage, number = int(block[5]) - 1, ord(block[6]) - ord("a")
    parts = {
        "dwconv": "conv_dw",
        "se_reduce": "se.conv_reduce",
        "se_expand": "se.conv_expand",
    }
    if stage == 0:  # Its blocks do not expand.
        parts |= {"bn": "bn1", "project_conv": "conv_pw", "project_bn": "bn2"}
    else:
        parts |= {"expand_conv": "conv_pw", "expand_bn": "bn1", "bn": "bn2"}
        parts |= {"project_conv": "conv_pwl", "project_bn": "bn3"}
    return f"blocks.{stage}.{number}.{parts[part]}"


def _arrays(arrays, depthwise):
    """A module's arrays in Keras's order and layout."""
    if "running_mean" in arrays:
        return [arrays[n] for n in ("weight", "bias", "running_mean", "running_var")]
    kernel = arrays["weight"]
    if kernel.ndim == 2:
        kernel = kernel.T
    else:  # Depthwise the channels are inputs, else outputs.
        kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)
    return [kernel, arrays["bias"]] if "bias" in arrays else [kernel]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", help="timm's name of the network and its weights")
    parser.add_argument("path", help="file to write, `*.weights.h5`")
    args = parser.parse_args()
    import timm

    variants = {"tf_efficientnet_b7": B7, "tf_efficientnet_l2": L2}
    variant = variants.get(args.name.partition(".")[0])
    if variant is None:
        parser.error(
            f"`name` must begin with one of {list(variants)}. Received: {args.name}"
        )
    state = timm.create_model(args.name, pretrained=True).state_dict()
    model = efficientnet(**variant, classes=1000)
    convert({name: tensor.numpy() for name, tensor in state.items()}, model)
    model.save_weights(args.path)


if __name__ == "__main__":
    main()

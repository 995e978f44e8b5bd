"""What a level from 0 to 10 means to an operation: its argument in `operations.py`.

`cifar` is for CIFAR and SVHN, `imagenet` for RandAugment. The code that the paper's authors
released uses ImageNet's arguments for CIFAR too: there, translations by up to 250 pixels
leave nothing of an image of 32 pixels. `cifar` has the arguments that AutoAugment's
policies were found with.
"""

import math

OPERATIONS = (
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Solarize",
    "SolarizeAdd",
    "Posterize",
    "Color",
    "Contrast",
    "Brightness",
    "Sharpness",
    "AutoContrast",
    "Equalize",
    "Invert",
    "Cutout",
)
# To the left or to the right, as a coin falls.
SIGNED = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")


def cifar(name, level):
    """The argument of an operation on an image of 32 x 32 pixels.

    A higher level is always the stronger change; that of Color, Contrast, Brightness and
    Sharpness is none halfway between 0 and 10.

    Args:
        name: String, one of `OPERATIONS` but "SolarizeAdd", which is RandAugment's.
        level: Number from 0 to 10.
    Returns:
        A float; 0 for operations without an argument.
    """
    arguments = {
        "TranslateX": level,
        "TranslateY": level,
        "Solarize": math.floor(255 - 25.5 * level),
        "Posterize": math.ceil((40 - 4 * level) / 10),
        "Cutout": math.ceil(2 * level),
    }
    return _argument(name, level, arguments)


def imagenet(name, level):
    """The argument of an operation on an image of about 224 x 224 pixels.

    As in RandAugment's code, a higher level of Solarize and of Posterize changes less.

    Args and Returns: as of `cifar`.
    """
    arguments = {
        "TranslateX": 10 * level,
        "TranslateY": 10 * level,
        "Solarize": math.floor(25.6 * level),
        "SolarizeAdd": math.floor(11 * level),
        "Posterize": math.floor(4 * level / 10),
        "Cutout": 2 * math.floor(4 * level),
    }
    return _argument(name, level, arguments)


def _argument(name, level, arguments):
    if not 0 <= level <= 10:
        raise ValueError(f"`level` must be between 0 and 10. Received: level={level}")
    arguments = {
        "ShearX": 0.03 * level,
        "ShearY": 0.03 * level,
        "Rotate": 3 * level,
        **dict.fromkeys(("Color", "Contrast", "Brightness", "Sharpness"), _factor(level)),
        **dict.fromkeys(("AutoContrast", "Equalize", "Invert"), 0),
        **arguments,
    }
    if name not in arguments:
        raise ValueError(
            f"`name` must be one of {sorted(arguments)}. Received: name={name}"
        )
    return float(arguments[name])


def _factor(level):
    return 0.1 + 0.18 * level

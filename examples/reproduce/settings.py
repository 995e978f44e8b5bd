"""What a run trains and how, as plain values."""

import dataclasses

from data.sets import SETS


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a run. A recipe gives them, and flags of the same names change them.

    Attributes:
        dataset: Name of the data set.
        epochs: Passes over the training examples. 0 where `steps` counts.
        steps: Steps of the optimizer, in whole epochs or more. 0 where `epochs` counts.
        batch_size: Examples in a step, of all devices together.
        learning_rate: At the first step. It falls to 0 by a cosine, step by step.
        weight_decay: The loss has `weight_decay / 2 * w^2` of every trainable weight.
        rho: Radius of the perturbation. 0 trains plainly.
        m: Examples that share a perturbation. 0 is all of a device's.
        ascent: "lp" is the paper's, "adaptive" is ASAM, "random" a random direction.
        p: Of the norm that bounds the perturbation.
        ascent_steps: Steps of projected gradient ascent.
        second_order: Whether the gradient goes through the perturbation.
        augmentation: "none", "basic", "cutout", "autoaugment" (with cutout) or
            "autoaugment_only" (no flip, no crop).
        mixup: The alpha of mixup. 0 is without.
        noise: Part of the training labels that are drawn anew, from all classes.
        bootstrap: Whether a second network is trained from scratch, on the labels that the
            first one predicts. It is the second one's error that counts.
        label_smoothing: Part of each label that is spread over all classes.
        clip: Largest norm of the mean gradient of all devices. 0 is no limit.
        optimizer: "sgd" has Nesterov momentum of 0.9, "adam" Keras's defaults.
        ema: Decay of the moving average of the weights that is tested. 0 is without.
        examples: Training examples to keep, the same for all seeds. 0 is all.
        validation: Whether to test on a tenth of the training examples, which then do not
            train, to choose settings by.
        test_every: Epochs from one test to the next. The last epoch is always tested.
        image_size: Side that images are cropped or resized to. 0 leaves small ones as they
            are.
    """

    dataset: str
    batch_size: int
    learning_rate: float
    epochs: int = 0
    steps: int = 0
    weight_decay: float = 0.0
    rho: float = 0.05
    m: int = 0
    ascent: str = "lp"
    p: float = 2.0
    ascent_steps: int = 1
    second_order: bool = False
    augmentation: str = "basic"
    mixup: float = 0.0
    noise: float = 0.0
    bootstrap: bool = False
    label_smoothing: float = 0.0
    clip: float = 5.0
    optimizer: str = "sgd"
    ema: float = 0.0
    examples: int = 0
    validation: bool = False
    test_every: int = 1
    image_size: int = 0


CHOICES = {
    "dataset": list(SETS),
    "ascent": ["lp", "adaptive", "random"],
    "augmentation": ["none", "basic", "cutout", "autoaugment", "autoaugment_only"],
    "optimizer": ["sgd", "adam"],
}
FIELDS = {field.name: field.type for field in dataclasses.fields(Settings)}


def of(recipe, changes):
    """The recipe's settings, with those of the data set, and with these changes.

    Args:
        recipe: A module of `recipes`.
        changes: Dict of settings.
    """
    dataset = changes.get("dataset", recipe.SETTINGS.dataset)
    by_dataset = recipe.BY_DATASET.get(dataset, {})
    return dataclasses.replace(recipe.SETTINGS, **{**by_dataset, **changes})


def for_smoke(settings):
    """Steps on a few images, which show that all of it runs."""
    return dataclasses.replace(
        settings,
        batch_size=16,
        epochs=2,
        steps=0,
        m=min(settings.m, 16),
        image_size=min(settings.image_size, 32),
        examples=0,
        test_every=1,
    )


def parse(flags):
    """Dict of the settings in flags such as "--rho=0.1 --m=32"."""
    changes = {}
    for flag in flags.split():
        name, value = flag.removeprefix("--").split("=")
        kind = FIELDS[name]
        changes[name] = value == "true" if kind is bool else kind(value)
    return changes


def checked(settings):
    """The settings, if they go together."""
    if bool(settings.epochs) == bool(settings.steps):
        raise ValueError(
            "Either `epochs` or `steps` must be positive. "
            f"Received: epochs={settings.epochs}, steps={settings.steps}"
        )
    for name, choices in CHOICES.items():
        if getattr(settings, name) not in choices:
            raise ValueError(
                f"`{name}` must be one of {choices}. "
                f"Received: {name}={getattr(settings, name)!r}"
            )
    if settings.test_every < 1:
        raise ValueError(
            f"`test_every` must be positive. Received: test_every={settings.test_every}"
        )
    if settings.noise > 1 or settings.ema >= 1:
        raise ValueError(
            "`noise` must be at most 1, and `ema` less than 1. "
            f"Received: noise={settings.noise}, ema={settings.ema}"
        )
    return settings

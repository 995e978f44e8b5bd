"""The batches of a run: its images with the augmentation that its settings name."""

import functools

from augmentation import policies
from augmentation.auto import CIFAR_FILL, auto_augment
from augmentation.crop import central_crop, random_crop, random_flip, random_resized_crop
from augmentation.cutout import cutout
from augmentation.mixup import mixup
from data import large_images, small_images
from data.source import Images

# Small images are tested in batches of at least this size, which takes half the time on a
# CPU. What a network says of an image does not depend on the batch.
TEST_BATCH = 512


def training(source, settings, seed, first_epoch, epochs):
    """`tf.data.Dataset` of the epochs from `first_epoch` to before `epochs`."""
    if isinstance(source.train, Images):
        return small_images.training(
            source,
            batch_size=settings.batch_size,
            epochs=epochs,
            seed=seed,
            first_epoch=first_epoch,
            augment=_small(settings, source),
            cutout=cutout if _cuts_out(settings) else None,
            size=settings.image_size or None,
            mixup=functools.partial(mixup, alpha=settings.mixup)
            if settings.mixup
            else None,
        )
    return large_images.training(
        source,
        crop=_crop(settings),
        batch_size=settings.batch_size,
        epochs=epochs,
        seed=seed,
        first_epoch=first_epoch,
        augment=None if settings.augmentation == "none" else random_flip,
    )


def evaluation(source, settings, split="test"):
    """`tf.data.Dataset` of a split, without augmentation and in order."""
    if isinstance(source.train, Images):
        size, batch_size = settings.image_size or None, settings.batch_size
        if size is None:
            batch_size = max(batch_size, TEST_BATCH)
        return small_images.evaluation(source, batch_size, split, size)
    crop = functools.partial(central_crop, size=settings.image_size)
    return large_images.evaluation(
        source, crop=crop, batch_size=settings.batch_size, split=split
    )


def _cuts_out(settings):
    return settings.augmentation in ("cutout", "autoaugment", "autoaugment_only")


def _small(settings, source):
    """Function of a small uint8 image and a seed."""
    if settings.augmentation == "none":
        return None
    policy = policies.SVHN if settings.dataset == "svhn_cropped" else policies.CIFAR
    # Grey images have no colour of CIFAR's, but their own mean.
    fill = (
        CIFAR_FILL if len(source.mean) == 3 else tuple(round(255 * m) for m in source.mean)
    )

    def augment(image, seed):
        if settings.augmentation.startswith("autoaugment"):
            image = auto_augment(image, seed, policy, fill)
        if settings.augmentation == "autoaugment_only":
            return image
        return random_crop(random_flip(image, seed), seed)

    return augment


def _crop(settings):
    """Function of a large image and a seed: the part of it that is trained on."""
    if settings.augmentation == "none":
        return lambda image, seed: central_crop(image, settings.image_size)
    return lambda image, seed: random_resized_crop(image, seed, settings.image_size)

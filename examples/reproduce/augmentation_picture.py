"""A picture of each augmentation, on a photograph of 224 pixels and on one of 32.

    python examples/reproduce/augmentation_picture.py

The photographs are scikit-learn's. Operations have level 9, with ImageNet's arguments on
the large photograph and with CIFAR's on the small one.
"""

import matplotlib
import numpy as np
import tensorflow as tf
from absl import app, flags
from augmentation import levels, policies
from augmentation.auto import (
    CIFAR_FILL,
    IMAGENET_FILL,
    OPERATIONS,
    auto_augment,
    perform,
    rand_augment,
)
from augmentation.crop import central_crop, random_crop, random_flip, random_resized_crop
from augmentation.cutout import cutout
from augmentation.mixup import mixup
from PIL import Image
from sklearn.datasets import load_sample_image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FLAGS = flags.FLAGS
flags.DEFINE_string("picture", "augmentation.png", "Where to save the picture.")

LEVEL = 9
COLUMNS = 8


def photographs(name):
    """The middle of a photograph as ImageNet and as CIFAR have it."""
    image = load_sample_image(name)
    large = central_crop(tf.constant(image)).numpy()
    return large, np.array(Image.fromarray(large).resize((32, 32)))


def operations(side, image, argument_of, fill):
    """Each operation, in the order of its name."""
    for name in sorted(OPERATIONS):
        if name == "SolarizeAdd" and argument_of == levels.cifar:
            yield f"{side}: unchanged", image
            continue
        argument = argument_of(name, LEVEL)
        result = perform(name, tf.constant(image), argument, (0.4, 0.6), fill)
        yield f"{side}: {name}", result


def samples(title, augment, image):
    """A row of what a random augmentation gives."""
    for i in range(COLUMNS):
        yield title if i == 0 else "", augment(tf.constant(image), (i, 0))


def hidden(image, seed):
    """Cutout, with the mean colour where normalised images are zero."""
    mean = np.mean(image, axis=(0, 1))
    return cutout(tf.cast(image, tf.float32) - mean, seed) + mean


def blended(image, other, alpha):
    batch = tf.cast([image, other], tf.float32)
    return lambda _, seed: mixup(batch, tf.eye(2), seed, alpha)[0][0]


def rows():
    large, small = photographs("flower.jpg")
    large_china, small_china = photographs("china.jpg")
    yield from operations(224, large, levels.imagenet, IMAGENET_FILL)
    yield from operations(32, small, levels.cifar, CIFAR_FILL)
    for name in ("CIFAR", "CIFAR_25", "SVHN"):
        policy = getattr(policies, name)

        def augment(image, seed, policy=policy):
            return auto_augment(image, seed, policy)

        yield from samples(f"AutoAugment, {name}", augment, small)
    yield from samples(
        "crop and flip", lambda i, s: random_flip(random_crop(i, s), s), small
    )
    yield from samples("cutout", hidden, small_china)
    yield from samples("mixup, alpha 1", blended(small, small_china, 1.0), small)
    yield from samples("RandAugment", rand_augment, large)
    yield from samples("resized crop", random_resized_crop, large_china)


def main(_):
    images = list(rows())
    height = len(images) // COLUMNS
    figure, axes = plt.subplots(
        height, COLUMNS, figsize=(COLUMNS, 1.15 * height), layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, image) in zip(axes.flat, images):
        axis.imshow(np.clip(image, 0, 255).astype(np.uint8), interpolation="nearest")
        axis.set_title(title, fontsize=6, loc="left", pad=2)
    figure.savefig(FLAGS.picture, dpi=84)


if __name__ == "__main__":
    app.run(main)

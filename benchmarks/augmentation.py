"""How fast CIFAR's images are augmented with `tf.data`, and with torchvision.

    pip install torchvision
    PYTHONPATH=examples/reproduce python benchmarks/augmentation.py

The same images of 32 x 32 pixels pass through the same steps: AutoAugment (CIFAR-10's
policy, of 25 sub-policies), a random crop, a flip, normalisation and Cutout. One side has
the functions of `examples/reproduce/augmentation` and as many threads as there are cores,
the other torchvision's transforms and as many worker processes of PyTorch's DataLoader.
They take turns. The figure is the median over the rounds of the ratio of their speeds.
"""

import os
import statistics
import time

import numpy as np
import tensorflow as tf
import torch
import torchvision
from absl import app, flags
from augmentation import policies
from augmentation.auto import CIFAR_FILL, auto_augment
from augmentation.crop import random_crop, random_flip
from augmentation.cutout import cutout
from PIL import Image
from sklearn.datasets import load_sample_image
from torchvision import transforms

FLAGS = flags.FLAGS
flags.DEFINE_integer("images", 10_000, "Images of an epoch.", lower_bound=1)
flags.DEFINE_integer("rounds", 7, "Epochs of each.", lower_bound=1)
flags.DEFINE_integer("batch_size", 256, "Images of a batch.", lower_bound=1)
flags.DEFINE_integer("workers", os.cpu_count(), "Threads, or processes.", lower_bound=1)

MEAN = (0.49139968, 0.48215841, 0.44653091)
DEVIATION = (0.24703223, 0.24348513, 0.26158784)


def photographs(count):
    """Parts of scikit-learn's photographs, of the size of CIFAR's images."""
    rng = np.random.default_rng(0)
    pictures = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    pictures = [np.array(Image.fromarray(p).resize((160, 107))) for p in pictures]
    windows = []
    for i in range(count):
        y, x = rng.integers(107 - 32), rng.integers(160 - 32)
        windows.append(pictures[i % 2][y : y + 32, x : x + 32])
    return np.stack(windows)


def tf_data(images, policy):
    """Batches of augmented images, as NumPy arrays."""

    mean, deviation = (255 * np.float32(channels) for channels in (MEAN, DEVIATION))

    def augment(image, index):
        seed = tf.stack([0, index])
        image = auto_augment(image, seed, policy)
        image = random_flip(random_crop(image, seed), seed)
        image = (tf.cast(image, tf.float32) - mean) / deviation
        return cutout(image, seed)

    dataset = tf.data.Dataset.from_tensor_slices(images)
    dataset = tf.data.Dataset.zip(dataset, tf.data.Dataset.counter())
    dataset = dataset.map(augment, num_parallel_calls=FLAGS.workers)
    options = tf.data.Options()
    options.threading.private_threadpool_size = FLAGS.workers
    dataset = dataset.batch(FLAGS.batch_size).prefetch(2).with_options(options)
    return dataset.as_numpy_iterator


class Cutout:
    """torchvision's RandomErasing has squares inside of the image only."""

    def __call__(self, image):
        y, x = (int(torch.randint(32, ())) for _ in range(2))
        image[:, max(y - 8, 0) : y + 8, max(x - 8, 0) : x + 8] = 0
        return image


class Photographs(torch.utils.data.Dataset):
    """Each as torchvision's CIFAR10 has it: an array that becomes a picture of Pillow."""

    def __init__(self, images):
        self.images = images
        self.augment = transforms.Compose(
            [
                transforms.AutoAugment(
                    transforms.AutoAugmentPolicy.CIFAR10, fill=list(CIFAR_FILL)
                ),
                transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, DEVIATION),
                Cutout(),
            ]
        )

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.augment(Image.fromarray(self.images[index]))


def data_loader(images):
    loader = torch.utils.data.DataLoader(
        Photographs(images),
        FLAGS.batch_size,
        num_workers=FLAGS.workers,
        persistent_workers=True,
    )
    return loader.__iter__


def images_per_second(epoch):
    start = time.perf_counter()
    count = sum(len(batch) for batch in epoch())
    return count / (time.perf_counter() - start)


def main(_):
    images = photographs(FLAGS.images)
    # Before TensorFlow's threads: worker processes are forks.
    sides = {"torchvision": data_loader(images)}
    images_per_second(sides["torchvision"])
    sides["tf.data"] = tf_data(images, policies.CIFAR_25)
    sides["tf.data, 95 sub-policies"] = tf_data(images, policies.CIFAR)
    speeds = {name: [] for name in sides}
    for i in range(FLAGS.rounds + 1):
        for name, epoch in sides.items():
            speed = images_per_second(epoch)
            speeds[name] += [speed] if i else []  # The first time, graphs are made.
    print(
        f"{FLAGS.workers} workers, TensorFlow {tf.__version__}, PyTorch "
        f"{torch.__version__}, torchvision {torchvision.__version__}"
    )
    for name, of_rounds in speeds.items():
        ratios = np.divide(of_rounds, speeds["torchvision"])
        print(
            f"{name:<25} {statistics.median(of_rounds):7.0f} images per second, "
            f"{statistics.median(ratios):.2f} times torchvision's"
        )


if __name__ == "__main__":
    app.run(main)

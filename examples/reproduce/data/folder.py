"""Images in a folder for each class, as many sets are published.

    <data_dir>/train/<class>/*.jpg
    <data_dir>/test/<class>/*.jpg

A class has the number of its name's place among all names, sorted.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from data.source import Records

SUFFIXES = (".jpeg", ".jpg", ".png")


def is_in(data_dir):
    return data_dir is not None and (Path(data_dir) / "train").is_dir()


def load(data_dir, classes, validation):
    """The two splits of a folder; see `loading.load`."""
    if data_dir is None:
        raise ValueError(
            "`data_dir` must be a folder that has a folder of images for each class under "
            "train/ and test/: TensorFlow Datasets does not have this set. "
            "Received: data_dir=None"
        )
    names = _class_names(Path(data_dir), classes)
    train = _files(Path(data_dir) / "train", names)
    if not validation:
        return _records(*train), _records(*_files(Path(data_dir) / "test", names))
    first = len(train[0]) * 9 // 10
    return _records(*(a[:first] for a in train)), _records(*(a[first:] for a in train))


def _class_names(data_dir, classes):
    train, test = (_folders(data_dir / split) for split in ("train", "test"))
    if train != test:
        differ = ", ".join(sorted(set(train) ^ set(test)))
        raise ValueError(
            f"`data_dir` must have the same classes under train/ and test/. Only one has: "
            f"{differ}. Received: data_dir={str(data_dir)!r}"
        )
    if len(train) != classes:
        raise ValueError(
            f"`data_dir` must have a folder for each of {classes} classes under train/. "
            f"It has {len(train)}. Received: data_dir={str(data_dir)!r}"
        )
    return train


def _folders(parent):
    if not parent.is_dir():
        raise FileNotFoundError(
            f"`data_dir` must have the folders train/ and test/. There is no {parent}."
        )
    return sorted(path.name for path in parent.iterdir() if path.is_dir())


def _files(parent, names):
    """Paths and labels, in an order that mixes the classes and is always the same."""
    paths, labels = [], []
    for label, name in enumerate(names):
        found = sorted(p for p in (parent / name).iterdir() if p.suffix.lower() in SUFFIXES)
        if not found:
            raise FileNotFoundError(
                f"Each class must have images ({', '.join(SUFFIXES)}). "
                f"There are none in {parent / name}."
            )
        paths += map(str, found)
        labels += [label] * len(found)
    order = np.random.default_rng(0).permutation(len(paths))
    return np.array(paths)[order], np.array(labels)[order]


def _records(paths, labels):
    def read(seed):
        order = tf.range(len(paths))
        if seed is not None:
            order = tf.random.experimental.stateless_shuffle(order, seed)
        indices = tf.data.Dataset.from_tensor_slices(order)
        return indices.map(
            lambda i: (tf.io.read_file(tf.gather(paths, i)), tf.gather(labels, i)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )

    return Records(len(paths), read)

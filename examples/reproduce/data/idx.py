"""Images in MNIST's four files, whose format is called IDX.

Debian has Fashion-MNIST so: after `apt-get install dataset-fashion-mnist`, `data_dir` is
/usr/share/datasets/fashion-mnist.

A file begins with a magic number of four bytes, 0, 0, 8 for uint8, and the number of axes.
The length of each axis follows, in four bytes, the highest first. All else are the values.
"""

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from data.source import Images

UINT8 = 8
FILES = {
    split: (f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte")
    for split in ("train", "t10k")
}


def is_in(data_dir):
    return data_dir is not None and any(Path(data_dir).glob("train-images-idx3-ubyte*"))


def load(data_dir, validation):
    """The two splits of a folder; see `loading.load`."""
    train = images(data_dir, "train")
    if not validation:
        return train, images(data_dir, "t10k")
    first = len(train) * 9 // 10
    return train.take(slice(first)), train.take(slice(first, None))


def images(data_dir, split):
    """The images and labels of a split, "train" or "t10k"."""
    pixels, labels = (
        _read(_path(data_dir, name), axes) for name, axes in zip(FILES[split], (3, 1))
    )
    if len(pixels) != len(labels):
        raise ValueError(
            f"The files of {split!r} in {data_dir} must have as many labels as images. "
            f"Received: {len(pixels)} images, {len(labels)} labels"
        )
    return Images(pixels[..., None], labels.astype("int64"))


def _path(data_dir, name):
    for path in (Path(data_dir) / name, Path(data_dir) / f"{name}.gz"):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"`data_dir` must have the file {name} or {name}.gz. "
        f"Received: data_dir={str(data_dir)!r}"
    )


def _read(path, axes):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        content = file.read()
    magic = bytes([0, 0, UINT8, axes])
    if content[:4] != magic:
        raise ValueError(
            f"{path} must begin with the magic number {magic.hex()}: {axes} axes of uint8. "
            f"Received: {content[:4].hex()}"
        )
    start = 4 + 4 * axes
    shape = None
    if len(content) >= start:
        shape = struct.unpack(f">{axes}I", content[4:start])
    values = np.frombuffer(content[start:], np.uint8)
    if shape is None or len(values) != math.prod(shape):
        raise ValueError(
            f"{path} must have as many values as its axes say. "
            f"Received: axes of {shape}, {len(values)} values"
        )
    return values.reshape(shape)

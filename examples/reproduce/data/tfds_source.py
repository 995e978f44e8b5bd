"""Sets of images that TensorFlow Datasets has (`pip install tensorflow-datasets`)."""

import numpy as np
import tensorflow as tf

from data.source import Images, Records

READ_AT_ONCE = 1024
SHUFFLE_BUFFER = 16_384
FILES_AT_ONCE = 16

FOLDER = (
    "give a `data_dir` that has a folder of images for each class under train/ and test/."
)
NOT_TO_BE_HAD = {
    "imagenet2012": "It is not downloaded by itself: get ILSVRC2012_img_train.tar and "
    "ILSVRC2012_img_val.tar from https://image-net.org, and put them into "
    f"downloads/manual/ under `data_dir`. Or {FOLDER}",
    "cars196": f"Its address of origin is dead. Instead, {FOLDER}",
}


def load(name, image_set, data_dir, validation):
    """The two splits of a set; see `loading.load`."""
    builder = prepared(name, data_dir)
    splits = image_set.train, image_set.test
    if validation:
        parts = image_set.train.split("+")
        splits = ["+".join(part + cut for part in parts) for cut in ("[:90%]", "[90%:]")]
    read = images if image_set.small else records
    return [read(builder, split) for split in splits]


def prepared(name, data_dir):
    """The builder of a set, whose files are there."""
    builder = _tfds().builder(name, data_dir=data_dir)
    try:
        builder.download_and_prepare()
    except Exception as error:  # Each set and each kind of failure has its own.
        advice = NOT_TO_BE_HAD.get(name, "Is there a network, and room on the disk?")
        raise RuntimeError(
            f"TensorFlow Datasets could not prepare `{name}`. {advice} "
            f"Its own words: {type(error).__name__}: {error}"
        ) from error
    return builder


def images(builder, split):
    """All images of a split, in memory."""
    examples = builder.as_dataset(split=split, batch_size=READ_AT_ONCE)
    batches = [(batch["image"], batch["label"]) for batch in examples.as_numpy_iterator()]
    return Images(*(np.concatenate(arrays) for arrays in zip(*batches)))


def records(builder, split):
    """The images of a split, to be read from its files."""
    count = builder.info.splits[split].num_examples
    return Records(count, lambda seed: read(builder, split, seed))


def read(builder, split, seed):
    """The encoded images and the labels of a split, in an order that `seed` chooses.

    The files come in random order, several at once, and a buffer mixes what comes.
    """
    if seed is None:
        return _examples(builder, split, number=None)

    # AutoGraph cannot read the code of TensorFlow Datasets, and need not.
    @tf.autograph.experimental.do_not_convert
    def shuffled(seed):
        # A shuffle also asks its graph for a seed. Without this one, that is the seed of
        # `tf.random.set_seed`: the order would depend on it, and fail where it is zero.
        tf.compat.v1.set_random_seed(1)
        number = tf.random.stateless_uniform([], seed, 0, 2**31 - 1, tf.int64)
        examples = _examples(builder, split, number)
        return examples.shuffle(SHUFFLE_BUFFER, number, reshuffle_each_iteration=False)

    return tf.data.Dataset.from_tensors(seed).flat_map(shuffled)


def _examples(builder, split, number):
    """Encoded images and labels, file by file, in an order that a number chooses."""
    tfds = _tfds()
    only = {"image": True, "label": True}
    decoders = {"image": tfds.decode.SkipDecoding()}
    config = tfds.ReadConfig(
        shuffle_seed=number,
        shuffle_reshuffle_each_iteration=False,
        interleave_cycle_length=FILES_AT_ONCE,
        try_autocache=False,
    )
    examples = builder.as_dataset(
        split=split,
        shuffle_files=number is not None,
        decoders=tfds.decode.PartialDecoding(only, decoders=decoders),
        read_config=config,
    )
    return examples.map(lambda example: (example["image"], example["label"]))


def _tfds():
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            "This set of images needs TensorFlow Datasets: "
            "run `pip install tensorflow-datasets`."
        ) from error
    return tensorflow_datasets

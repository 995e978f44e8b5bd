"""One of several workers, started as a user would: `TF_CONFIG` says which one it is."""

import os
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_sam
from tests.models import classify, random_images
from tests.replicas import BATCH, network

STRATEGY = tf.distribute.MultiWorkerMirroredStrategy()


class Killed(keras.callbacks.Callback):
    """As by a machine that goes down: nothing is cleaned up."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            os._exit(9)


def loop(model, batches):
    data = tf.data.Dataset.from_tensor_slices(batches).batch(BATCH)
    step = tf.function(lambda batch: STRATEGY.run(model.train_step, args=(batch,)))
    with STRATEGY.scope():
        model.optimizer.build(model.trainable_weights)
    for batch in STRATEGY.experimental_distribute_dataset(data):
        step(batch)
    return {}


def fit(model, batches, *callbacks):
    history = model.fit(
        *batches,
        batch_size=BATCH,
        epochs=4,
        shuffle=False,
        verbose=0,
        validation_data=batches,
        callbacks=list(callbacks),
    )
    return history.history


def main(task, m, folder):
    index = STRATEGY.cluster_resolver.task_id
    keras.utils.set_random_seed(1)
    with STRATEGY.scope():
        m = int(m) if m.isdigit() else {"None": None}.get(m, m)
        model = classify(keras_sam.SAMModel(*network(m is None), rho=0.5, m=m))
    batches = random_images(8 * BATCH)
    if task == "loop":
        logs = loop(model, batches)
    elif task == "fit":
        logs = fit(model, batches)
    else:
        callbacks = [keras.callbacks.BackupAndRestore(folder / f"backup{index}")]
        if task == "killed" and index == 1:
            callbacks.append(Killed())
        logs = fit(model, batches, *callbacks)
    weights = {v.path: v.numpy() for v in model.trainable_weights}
    np.savez(folder / f"{index}.npz", **weights, **logs)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

"""The recipes' images: where they come from, and the batches that `fit` gets.

    source = data.load("cifar10", data_dir)
    steps = steps_per_epoch(source.train, batch_size=256)
    batches = small_images.training(source, batch_size=256, epochs=200, seed=0)
    model.fit(batches, epochs=200, steps_per_epoch=steps, shuffle=False)

TensorFlow reads and prepares them for each backend of Keras.
"""

from data.loading import load
from data.source import Images, Records, Source

__all__ = ["Images", "Records", "Source", "load"]

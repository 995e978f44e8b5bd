"""A run of a recipe: its data, its training, its results."""

import dataclasses
import math

import batches
import checkpoints
import data
import keras
import models
import results
import strategies
from data.batches import steps_per_epoch
from data.noise import with_noise
from data.source import Images
from data.subset import subset
from settings import checked, for_smoke, of


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A recipe, and where it runs.

    Attributes:
        name: Of the recipe.
        recipe: Its module.
        folder: Where results and weights are written.
        data_dir: Where the data are, or `None` for TensorFlow Datasets' own folder.
        pretrained: File of the weights to fine-tune, or `None`.
        strategy: What `strategies.make_strategy` gives.
        is_chief: Whether this process, if there are several, is the one that writes.
        smoke: Whether to train a small network on a few made examples.
        dtype: Name of Keras's dtype policy.
        tensorboard: Folder for TensorBoard's logs, or `None`.
        verbose: As of `fit`.
    """

    name: str
    recipe: object
    folder: str
    data_dir: str | None = None
    pretrained: str | None = None
    strategy: object = dataclasses.field(default_factory=strategies.OneDevice)
    is_chief: bool = True
    smoke: bool = False
    dtype: str = "float32"
    tensorboard: str | None = None
    verbose: int = 2

    def check(self, changes):
        """Raises a `ValueError` if the settings do not go together."""
        checked(of(self.recipe, changes))
        if self.pretrained and not hasattr(self.recipe, "start"):
            raise ValueError(
                "`--pretrained` is for recipes that fine-tune. "
                f"Received: --recipe={self.name} --pretrained={self.pretrained}"
            )

    def run(self, changes, seed):
        """Trains with some settings changed, unless that is done already.

        Args:
            changes: Dict of settings.
            seed: Integer.

        Returns:
            Dict of the results, as the JSON file has them.
        """
        self.check(changes)
        settings = self._settings(changes)
        file = results.path(self.folder, self.name, changes, seed)
        run = {
            "recipe": self.name,
            "settings": dataclasses.asdict(of(self.recipe, changes)),
            "seed": seed,
            "smoke": self.smoke,
        }
        found = results.read(file, run)
        if found.get("complete"):
            return found
        run |= results.environment(self.dtype) | {"epochs": found.get("epochs", [])}
        self._train(settings, self._source(changes, seed), file, run)
        run["complete"] = True
        results.write(file, run)
        return run

    def _settings(self, changes):
        settings = of(self.recipe, changes)
        return for_smoke(settings) if self.smoke else settings

    def _source(self, changes, seed):
        """The images and labels of the run."""
        settings = self._settings(changes)
        source = data.load(
            settings.dataset,
            self.data_dir,
            smoke=self.smoke,
            validation=settings.validation and not self.smoke,
        )
        if settings.examples:
            source = subset(source, settings.examples, seed=0)
        if settings.noise:
            source = with_noise(source, settings.noise, seed)
        if settings.bootstrap:
            source = self._relabelled(source, changes, seed)
        return source

    def trained(self, changes, seed):
        """The model of a run, which is run first where it was not before.

        Returns:
            The compiled model with its weights, and the `Source` that it was trained on.
        """
        self.run(changes, seed)
        settings, source = self._settings(changes), self._source(changes, seed)
        self._begin(seed)
        with self.strategy.scope():
            model = self._model(settings, source, steps=1)
            checkpoints.load(model, self._weights(changes, seed))
        return model, source

    def _relabelled(self, source, changes, seed):
        """With the labels that the network of the run without bootstrap predicts."""
        first = {k: v for k, v in changes.items() if k != "bootstrap"}
        model, _ = self.trained(first, seed)
        images = batches.evaluation(source, self._settings(first), "train")
        with self.strategy.scope():
            logits = model.predict(images, verbose=0)
        train = Images(source.train.images, logits.argmax(-1).astype("int64"))
        return dataclasses.replace(source, train=train)

    def _weights(self, changes, seed):
        return results.path(self.folder, self.name, changes, seed, ".weights.h5")

    def _model(self, settings, source, steps):
        """The compiled model, for as many steps of training."""
        if isinstance(source.train, Images) and not settings.image_size:
            shape = source.train.images.shape[1:]
        else:
            shape = (settings.image_size, settings.image_size, len(source.mean))
        network = self.recipe.network(shape, source.classes, self.smoke)
        start = getattr(self.recipe, "start", None)
        if start and not self.smoke:
            start(network, self.pretrained)
        replicas = getattr(self.strategy, "num_replicas_in_sync", 1)
        return models.compiled(network, settings, source.classes, steps, replicas)

    def _begin(self, seed):
        """What comes now depends on nothing that ran before it."""
        keras.backend.clear_session()  # It forgets the dtype policy, too.
        keras.config.set_dtype_policy(self.dtype)
        keras.utils.set_random_seed(seed)

    def _train(self, settings, source, file, run):
        self._begin(run["seed"])
        steps = steps_per_epoch(source.train, settings.batch_size)
        epochs = settings.epochs or math.ceil(settings.steps / steps)
        weights = file.with_suffix(".weights.h5")
        with self.strategy.scope():
            model = self._model(settings, source, settings.steps or epochs * steps)
            done = checkpoints.resume(model, weights, steps)
            if done == epochs:
                return
            model.fit(
                batches.training(source, settings, run["seed"], done, epochs),
                epochs=epochs,
                initial_epoch=done,
                steps_per_epoch=steps,
                shuffle=False,  # The batches are in random order already.
                validation_data=batches.evaluation(source, settings),
                validation_freq=list(range(epochs, 0, -settings.test_every)),
                callbacks=self._callbacks(settings, file, run),
                verbose=self.verbose,
            )

    def _callbacks(self, settings, file, run):
        """In the order in which they are to be called."""
        callbacks = [checkpoints.SeedsOfEpoch()]
        if self.is_chief:
            callbacks.append(results.Record(file, run))
        if settings.ema:
            callbacks.append(keras.callbacks.SwapEMAWeights())
        if self.is_chief:
            callbacks.append(checkpoints.Checkpoint(file.with_suffix(".weights.h5")))
        if self.tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(f"{self.tensorboard}/{file.stem}"))
        return callbacks

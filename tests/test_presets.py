"""A preset of KerasHub's holds the plain task."""

import json

import keras
import numpy as np
from keras import layers

import keras_sam


@keras.saving.register_keras_serializable("hub")
class Task(keras.Model):
    """As KerasHub's: functional, of parts, with a config that has nothing else, and
    compiled by its own constructor."""

    def __init__(self, backbone, num_classes, **kwargs):
        inputs = keras.Input((4,))
        outputs = layers.Dense(num_classes, name="logits")(backbone(inputs))
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.backbone = backbone
        self.num_classes = num_classes
        self.compile("sgd", "mse")

    def get_config(self):
        return {
            "backbone": keras.layers.serialize(self.backbone),
            "num_classes": self.num_classes,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        backbone = keras.layers.deserialize(config["backbone"])
        return cls(**{**config, "backbone": backbone})

    def save_to_preset(self, path):
        config = keras.saving.serialize_keras_object(self)
        for name in ("build_config", "compile_config"):
            config.pop(name, None)
        (path / "task.json").write_text(json.dumps(config))
        self.save_weights(path / "task.weights.h5")

    @classmethod
    def from_preset(cls, path, **kwargs):
        config = json.loads((path / "task.json").read_text())
        config["config"] |= kwargs
        task = keras.saving.deserialize_keras_object(config)
        task.load_weights(path / "task.weights.h5")
        return task


def test_a_preset_holds_the_plain_task(tmp_path):
    backbone = keras.Sequential([keras.Input((4,)), layers.Dense(6), layers.Dense(3)])
    model = keras_sam.SAMModel.from_model(Task(backbone, num_classes=2), rho=0.1)
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model.compile("sgd", "mse")
    model.fit(x, np.ones((8, 2)), verbose=0)
    model.save_to_preset(tmp_path)
    loaded = Task.from_preset(tmp_path)
    assert type(loaded) is Task
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again, Task) and again.rho == 0.1


def test_the_mixin_of_a_class_that_compiles_itself(tmp_path):
    @keras.saving.register_keras_serializable("hub")
    class Sharp(keras_sam.SharpnessAware, Task):
        pass

    backbone = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model = Sharp(backbone, num_classes=2, rho=0.1)
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    assert model.fit(x, np.ones((8, 2)), verbose=0).history["sharpness"][0] > 0
    model.rho = 0.2
    assert model.rho == 0.2
    model.save_to_preset(tmp_path)
    loaded = Sharp.from_preset(tmp_path)
    assert loaded.rho == 0.2
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5)

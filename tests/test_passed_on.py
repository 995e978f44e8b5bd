"""A class whose constructor takes a setting has to pass it on."""

import pytest

import keras_sam
from keras_sam import ascents, descents, schedules

TAKES = {"rho": 0.2, "m": 4, "ascent": ascents.Adaptive(), "second_order": True}


TAKES |= {"descent": descents.Stable(), "schedule": schedules.Every(2)}


@pytest.mark.parametrize("name", TAKES)
def test_a_setting_that_a_class_keeps_to_itself(name):
    class Keeps(keras_sam.SAMModel):
        def __init__(self, units, **kwargs):
            kwargs.pop(name, None)
            super().__init__(**kwargs)

    class Passes(keras_sam.SAMModel):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)

    value = TAKES[name]
    message = rf"`Keeps.__init__` takes `{name}` and does not pass it on.*Received: {name}="
    with pytest.raises(ValueError, match=message):
        Keeps(3, **{name: value}).compile("sgd", "mse")
    Keeps(3).compile("sgd", "mse")
    model = Passes(3, **{name: value})
    model.compile("sgd", "mse")
    assert getattr(model, name) is value or getattr(model, name) == value


def test_a_default_that_a_class_keeps_to_itself():
    class Keeps(keras_sam.SAMModel):
        def __init__(self, rho=0.2):
            super().__init__()

    class Sets(Keeps):
        def __init__(self, rho=0.2):
            super().__init__()
            self.rho = rho

    with pytest.raises(ValueError, match=r"`Keeps.__init__` takes `rho`.*Received: rho="):
        Keeps().compile("sgd", "mse")
    model = Sets()
    model.compile("sgd", "mse")
    assert model.rho == 0.2
    model.rho = 0.05
    model.compile("sgd", "mse")

"""A train step of the user's own on JAX, in the form of Keras's guide, around this one."""

import keras
import numpy as np

import keras_sam
from tests.helpers import array, assert_identical, only_on
from tests.models import rows, small

pytestmark = only_on("jax", "The other backends pass no state.")


class Guided(keras_sam.SAMModel):
    """Takes the metrics' variables metric by metric, and puts together as many."""

    def train_step(self, state, data):
        logs, state = super().train_step(state, data)
        *others, metrics_variables = state
        taken = []
        for metric in self.metrics:
            count = len(metric.variables)
            values = metrics_variables[len(taken) : len(taken) + count]
            logs[metric.name] = metric.stateless_result(values)
            taken += values
        assert len(taken) == len(metrics_variables)
        return logs, (*others, taken)


def test_the_variables_of_metrics_are_those_of_the_metrics():
    weights, logs = [], []
    for cls in (keras_sam.SAMModel, Guided):
        keras.utils.set_random_seed(1)
        model = cls(*small(), rho=0.1, ascent=keras_sam.ascents.Friendly())
        model.compile("sgd", "mse", metrics=["mae"])
        x, y = rows()
        y = np.eye(3, dtype="float32")[y]
        history = [model.fit(x, y, batch_size=8, verbose=0).history]
        model.rho = 0.5
        history.append(model.fit(x, y, batch_size=8, epochs=2, verbose=0).history)
        weights.append([array(v) for v in model.variables])
        logs.append(history)
        count = sum(len(m.variables) for m in model.metrics)
        assert len(model.metrics_variables) == count
    assert logs[0] == logs[1]
    assert_identical(*weights)

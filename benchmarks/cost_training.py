"""One run of `cost_of_generalization.py`: a model, trained with a method and a setting."""

import math

import keras
from cost_methods import METHODS, learning_rate


def network(task, setting):
    """The inputs and outputs, with the penalties in the loss: those of both passes."""
    inputs, outputs, hidden, parts = task.network()
    penalty = setting.get("penalty", 0)
    head = keras.Model(inputs, outputs).layers[-1]
    if penalty:
        outputs = head(keras.layers.ActivityRegularization(l2=penalty)(hidden))
    for variable in keras.Model(inputs, outputs).trainable_variables:
        decay = setting["weight_decay"] / 2
        decay += penalty * (variable is head.kernel)
        if decay:
            variable.regularizer = keras.regularizers.L2(decay)
    return inputs, outputs, parts


def make(task, name, setting, examples):
    """A compiled model, and its epochs."""
    method = METHODS[name]
    epochs = method.longer * task.epochs
    inputs, outputs, parts = network(task, setting)
    if method.rules is None:
        model = keras.Model(inputs, outputs)
    else:
        rules = method.rules(parts, epochs)
        model = method.model(inputs, outputs, rho=setting["rho"], **rules)
    steps = epochs * math.ceil(examples / task.batch_size)
    average = {"use_ema": True, "ema_momentum": setting["ema"]} if "ema" in setting else {}
    model.compile(
        keras.optimizers.SGD(
            learning_rate(method.decay, setting["rate"], steps),
            momentum=0.9,
            nesterov=task.nesterov,
            **average,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model, epochs


def accuracy(task, name, setting, seed, train, other):
    """In percent, after training. Averaged weights are the model's after `fit`."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model, epochs = make(task, name, setting, len(train[0]))
    model.fit(*train, batch_size=task.batch_size, epochs=epochs, verbose=0)
    logs = model.evaluate(*other, batch_size=500, verbose=0, return_dict=True)
    return 100 * logs["accuracy"]

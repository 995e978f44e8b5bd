"""The network of a run, made sharpness-aware or not."""

import keras
from optimizers import optimizer

import keras_sam
from keras_sam import ascents


def compiled(network, settings, classes, steps, replicas=1):
    """The model of a run, compiled.

    Args:
        network: A `keras.Model` that gives logits.
        settings: The run's `Settings`.
        classes: Integer.
        steps: Integer, all of the run.
        replicas: Integer, those of a strategy of TensorFlow's.
    """
    add_weight_decay(network, settings.weight_decay)
    model = network
    if settings.rho:
        model = keras_sam.SAMModel.from_model(
            network,
            rho=settings.rho,
            m=settings.m or None,
            ascent=_ascent(settings),
            second_order=settings.second_order,
        )
    metrics = [keras.metrics.CategoricalAccuracy("accuracy")]
    if classes >= 1000:
        metrics.append(keras.metrics.TopKCategoricalAccuracy(5, "top_5_accuracy"))
    model.compile(
        optimizer(settings, steps, replicas),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
        metrics=metrics,
    )
    return model


def add_weight_decay(network, weight_decay):
    """Adds `weight_decay / 2 * w^2` of every trainable weight to the loss.

    The paper has biases, gamma and beta in it, too. It is in the loss of both passes. The
    `weight_decay` of Keras's optimizers would be in neither.
    """
    if not weight_decay:
        return
    for variable in network.trainable_variables:
        variable.regularizer = keras.regularizers.L2(weight_decay / 2)


def _ascent(settings):
    if settings.ascent == "random":
        return ascents.RandomDirection(seed=0)
    if settings.ascent == "adaptive":
        return ascents.Adaptive(p=settings.p)
    return ascents.LpBall(p=settings.p, steps=settings.ascent_steps)

"""The optimizer of a run: cosine, clipping and the moving average of the weights."""

import keras


def optimizer(settings, steps, replicas=1):
    """Keras's, as the paper uses it.

    Args:
        settings: The run's `Settings`.
        steps: Integer, all of the run.
        replicas: Integer, those of a strategy of TensorFlow's.
    """
    kind, arguments = keras.optimizers.Adam, {}
    if settings.optimizer == "sgd":
        kind, arguments = keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}
    if settings.ema:
        arguments |= {"use_ema": True, "ema_momentum": settings.ema}
    if settings.clip:
        arguments["global_clipnorm"] = settings.clip / replicas
    if settings.clip and replicas > 1:
        kind = _averaged_first(kind, replicas)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    return kind(rate, **arguments)


def _averaged_first(kind, replicas):
    """The optimizer class, clipping the mean gradient of all replicas.

    Under a strategy Keras clips each replica's gradient, then adds them up. The paper
    averages first. So each replica is given its part of the mean, which Keras clips by that
    part of the norm, and adds up again.
    """
    import tensorflow as tf

    class AveragedFirst(kind):
        def apply(self, grads, trainable_variables=None):
            context = tf.distribute.get_replica_context()
            total = context.all_reduce(tf.distribute.ReduceOp.SUM, list(grads))
            return super().apply([g / replicas for g in total], trainable_variables)

    return AveragedFirst

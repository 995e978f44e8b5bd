"""The loss's derivative at w, the network's at w + eps."""

import keras

from keras_sam.descents.descent import Descent


@keras.saving.register_keras_serializable("keras_sam")
class Functional(Descent):
    """Functional SAM: the network's Jacobian at w + eps, the loss's derivative at w.

        J(w + eps)^T dl/dz,  z the predictions at w

    Sharpness-aware training moves both. Where labels are wrong most of its gain is in the
    Jacobian, and in language models the loss's part does harm, by its authors. A penalty on
    weights or activations has its gradient at w + eps, as in the paper of SAM. The logs are
    those of any descent.

    It needs the predictions of the whole batch at w, and so no schedule with a `fraction`.
    An overridden `compute_loss` has to compute its loss of the `y_pred` that it is given.
    In a training loop of your own `keras_sam.predictions` marks them, and there is no
    `sharpness`.

    Example:

    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(1)(inputs)
    >>> descent = keras_sam.descents.Functional()
    >>> model = keras_sam.SAMModel(inputs, outputs, descent=descent)

    Reference:
        - [Singh et al., 2025](https://arxiv.org/abs/2502.02407)
        - [Baek et al., 2024](https://arxiv.org/abs/2405.03676), as J-SAM
    """

    functional = True

    def __call__(self, gradients, perturbed):
        return perturbed

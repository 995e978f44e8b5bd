"""What the two gradients of a step say of the Hessian, at no further pass."""

from keras import ops

from keras_sam.norms import dot, norm, unit

# The entries of the logs, in the order of `curvature_of`.
NAMES = (
    "gradient_norm",
    "gradient_cosine",
    "curvature",
    "spectral_bound",
    "edge_of_stability",
)


def curvature_of(perturbation, gradients, perturbed, learning_rate):
    """The measures of one step, exact where the loss is quadratic.

        gradient_norm      ||g||
        gradient_cosine    <g, s> / (||g|| ||s||)
        curvature          <eps, s - g> / ||eps||^2
        spectral_bound     ||s - g|| / ||eps||
        edge_of_stability  lambda with lr * lambda * (1 + ||eps|| * lambda / ||g||) = 2

    The curvature is that along eps, e'He for e = eps / ||eps||. The bound is ||He||, and no
    larger than the largest eigenvalue of H in size. Above the edge of stability a step of
    gradient descent with SAM would overshoot: below 2 / lr, that of plain training.

    Args:
        perturbation: List of tensors, eps.
        gradients: List of tensors, g at w.
        perturbed: List of tensors, s at w + eps.
        learning_rate: Scalar.

    Returns:
        List of five scalar tensors. Where eps is zero, so are the third and the fourth.

    Reference:
        - [Long and Bartlett, 2024](https://arxiv.org/abs/2309.12488) for the edge
    """
    change = [s - g for g, s in zip(gradients, perturbed)]
    size, radius = norm(gradients), norm(perturbation)
    ratio = ops.cast(radius, size.dtype)
    rate = ops.cast(learning_rate, size.dtype)
    # Of lr * lambda * (1 + r * lambda) = 2 the positive root, in a form that has a limit.
    steep = _quotient(ratio, size)
    edge = _quotient(4 / rate, 1 + ops.sqrt(1 + 8 * steep / rate))
    return [
        size,
        dot(unit(gradients), unit(perturbed)),
        _quotient(dot(unit(perturbation), change), ratio),
        _quotient(norm(change), ratio),
        edge,
    ]


def _quotient(x, y):
    """x / y, and 0 where the scalar y is 0."""
    zero = y == 0
    return ops.where(zero, ops.zeros_like(x), x / ops.where(zero, ops.ones_like(y), y))

"""What a step knows of its climb and of the Hessian, at no further pass."""

from keras import ops

from keras_sam.norms import accurate, dot, norm, unit

# The entries of the logs, in the order of `curvature_of`.
NAMES = (
    "climbing_share",
    "gradient_norm",
    "perturbation_norm",
    "gradient_cosine",
    "curvature",
    "spectral_bound",
    "edge_of_stability",
)


def curvature_of(perturbation, gradients, perturbed, learning_rate):
    """The measures of one step that climbs, exact where the loss is quadratic.

        climbing_share     1
        gradient_norm      ||g||
        perturbation_norm  ||eps||
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
        List of seven scalar tensors. Where eps is zero, so are the curvature and the bound.

    Reference:
        - [Long and Bartlett, 2024](https://arxiv.org/abs/2309.12488) for the edge
    """
    dtype = accurate(gradients)
    pairs = zip(gradients, perturbed)
    change = [ops.cast(s, dtype) - ops.cast(g, dtype) for g, s in pairs]
    size, radius = norm(gradients), norm(perturbation)
    ratio = ops.cast(radius, size.dtype)
    rate = ops.cast(learning_rate, size.dtype)
    # Of lr * lambda * (1 + r * lambda) = 2 the positive root, in a form that has a limit.
    steep = _quotient(ratio, size)
    edge = _quotient(4 / rate, 1 + ops.sqrt(1 + 8 * steep / rate))
    return [
        ops.ones_like(size),
        size,
        ratio,
        dot(unit(gradients), unit(perturbed)),
        _quotient(dot(unit(perturbation), change), ratio),
        _quotient(norm(change), ratio),
        edge,
    ]


def curvature_of_no_climb(gradients):
    """As `curvature_of`, of a step that does not climb: zeros, but for the norm of g."""
    zero = ops.zeros((), accurate(gradients))
    return [zero, norm(gradients), *[zero] * (len(NAMES) - 2)]


def weighted(means):
    """The means of the measures over groups, each of the groups that it is known of.

    Args:
        means: List of scalar tensors, over all groups, or an empty one.

    Returns:
        List of `(value, weight)`, of which the weight is the part of these groups.
    """
    if not means:
        return []
    share, size, *of_climbs = means
    return [(share, 1.0), (size, 1.0), *((_quotient(x, share), share) for x in of_climbs)]


def _quotient(x, y):
    """x / y, and 0 where the scalar y is 0."""
    zero = y == 0
    return ops.where(zero, ops.zeros_like(x), x / ops.where(zero, ops.ones_like(y), y))

"""What the logs of an epoch say against rho or the learning rate, to be told once."""

import math

import keras

from keras_sam.schedules import Schedule

# A rho is too large where the loss rises by that many times the loss at w, to above what
# training began with. (With the paper's radii the rise alone is seen to be as large, but
# late in training, when both are small.) Or where it rises by that part of the loss, which
# after so many epochs is still nearly what it was.
TIMES = 3
PART, EPOCHS, STILL = 1 / 4, 3, 0.9
# It is too small where the rise is that part of the loss, which float32 rounds away.
ROUNDING = 1e-6
OF_RHO = "The loss at the perturbed weights"
PAPERS = "the paper's are 0.01 to 0.5, and those of `ascents.Adaptive` ten times that."


class Advice:
    """For one call of `fit`."""

    def __init__(self):
        self.first = None
        self.highest = 0.0
        self.epochs = 0

    def of(self, logs, model):
        """Dict of warnings by name, of an epoch whose logs these are."""
        loss, sharpness = logs.get("loss"), logs.get("sharpness")
        if loss is None or sharpness is None:
            return {}
        self.epochs += 1
        self.first = loss if self.first is None else self.first
        found = {"rate": self._of_rate(loss, logs, model)}
        if math.isfinite(loss):
            self.highest = max(self.highest, abs(loss))
            found["large"] = self._of_large(loss, sharpness, model)
            found["small"] = _of_small(loss, sharpness, model)
        return {name: words for name, words in found.items() if words is not None}

    def _of_large(self, loss, sharpness, model):
        far = sharpness > TIMES * abs(loss) and loss + sharpness > self.highest
        stuck = self.epochs > EPOCHS and abs(loss) > STILL * self.highest
        if not far and not (stuck and sharpness > PART * abs(loss)):
            return None
        rho = model._current_rho()
        return (
            f"{OF_RHO} is {loss + sharpness:.3g}, at the weights {loss:.3g}, and was "
            f"{self.highest:.3g} at most: rho={rho:.3g} is so large that the gradient "
            f"there says little about the weights. Set a smaller `model.rho`; {PAPERS}"
        )

    def _of_rate(self, loss, logs, model):
        """Not of a training that gets on: curvature is often seen about at the edge."""
        curvature, edge = logs.get("curvature"), logs.get("edge_of_stability")
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        begins = self.epochs == 1 and math.isfinite(loss)
        if begins or loss < self.first or not isinstance(optimizer, keras.optimizers.SGD):
            return None
        if curvature is None or not curvature > edge > 0:
            return None
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate + 0.0))
        return (
            f"The training loss is {loss:.3g}, after {self.first:.3g} in the first epoch. "
            f"The curvature along the perturbation is {curvature:.3g}, above the edge of "
            f"stability of gradient descent with SAM, {edge:.3g}: a step overshoots "
            "there. Set a smaller learning rate, or a smaller `model.rho`. "
            f"Received: learning_rate={rate:.3g}, rho={model._current_rho():.3g}"
        )


def _of_small(loss, sharpness, model):
    settings = model._sharpness_aware.settings
    always = type(settings.schedule).climbs is Schedule.climbs
    if loss == 0 or not abs(sharpness) <= ROUNDING * abs(loss):
        return None
    if not always or not settings.ascent.needs_gradient:
        return None
    rho = model._current_rho()
    if rho == 0:
        return None
    return (
        f"{OF_RHO} is that at the weights, {loss:.3g}: rho={rho:.3g} is so small that this "
        f"is plain training, at twice its cost. Set a larger `model.rho`; {PAPERS} (Or the "
        "gradient is zero, or w + eps is w in the dtype of the weights.)"
    )

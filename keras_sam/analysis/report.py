"""All measures of one model, or of several side by side."""

import dataclasses

import keras
import numpy as np

from keras_sam.analysis.density import hessian_density
from keras_sam.analysis.eigenvalues import hessian_eigenvalues
from keras_sam.analysis.landscape import loss_landscape
from keras_sam.analysis.pac_bayes import pac_bayes_sigma
from keras_sam.analysis.sharpness import sharpness
from keras_sam.analysis.trace import hessian_trace
from keras_sam.ascents.selection import Variables
from keras_sam.pictures import pyplot


@dataclasses.dataclass(frozen=True)
class Report:
    """All measures of some models: a dict for each, from a model's name to its result.

    Attributes:
        sharpness: Of `Sharpness`.
        noise: Of `Noise`.
        eigenvalues: Of `Eigenvalues`, five.
        trace: Of `Trace`.
        density: Of `Density`.
        landscape: Of `Landscape`, in one direction.
    """

    sharpness: dict
    noise: dict
    eigenvalues: dict
    trace: dict
    density: dict
    landscape: dict

    def __str__(self):
        """A Markdown table, a row for each model."""
        rho = next(iter(self.sharpness.values())).rho
        head = ["", "loss", f"rise at rho = {rho:g}, worst", "random"]
        head += ["noise for a rise", "lambda_1", "lambda_1 / lambda_5", "trace"]
        lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for name, rise in self.sharpness.items():
            values, trace = self.eigenvalues[name].values, self.trace[name]
            error = "" if np.isnan(rise.worst_error) else f" ± {rise.worst_error:.1g}"
            cells = [name, f"{rise.loss:.4g}", f"{rise.worst:.4g}{error}"]
            cells.append(f"{rise.random:.2g} ± {rise.random_error:.1g}")
            cells.append(f"{self.noise[name].sigma:.3g}")
            ratio = f"{values[0] / values[-1]:.3g}" if values[-1] else ""
            cells += [f"{values[0]:.4g}", ratio]
            cells.append(f"{trace.value:.3g} ± {trace.error:.1g}")
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def plot(self):
        """Draws it, by matplotlib: rises, densities and landscapes. Returns the figure."""
        figure = pyplot().figure(figsize=(12, 4), layout="constrained")
        axes = figure.subplots(1, 3)
        for name, found in self.sharpness.items():
            error = 0 if np.isnan(found.worst_error) else found.worst_error
            axes[0].bar(f"{name}\nworst", found.worst, yerr=error)
            axes[0].bar(f"{name}\nrandom", found.random, yerr=found.random_error)
            self.density[name].plot(axes[1])
            self.landscape[name].plot(axes[2])
        axes[0].set(ylabel=f"rise of the loss at rho = {found.rho:g}")
        for each in axes[1:]:
            for line, name in zip(each.lines, self.sharpness):
                line.set_label(name)
            each.legend()
        return figure


def report(
    models: keras.Model | dict[str, keras.Model],
    x,
    y=None,
    sample_weight=None,
    *,
    rho: float = 0.05,
    variables: Variables | None = None,
    batch_size: int = 32,
    seed: int = 0,
    verbose: int = 1,
) -> Report:
    """All measures of a compiled model, or of several side by side.

    Held against each other, models have to be of one architecture: sharpness does not rank
    others. Each measure is of all data, and takes some hundred passes over them: give it a
    thousand examples, and not a whole data set.

    Args:
        models: A compiled and built `keras.Model`, or a dict of them by their names.
        x: As for `sharpness`, like `y`, `sample_weight`, `rho`, `variables` and
            `batch_size`.
        seed: Integer, of all draws. Defaults to `0`.
        verbose: `1` to print the table, and progress bars before. Defaults to `1`.

    Returns:
        `Report`, whose `plot()` draws one figure.

    Raises:
        ValueError: as of `sharpness` and of `hessian_eigenvalues`.

    Example:

    >>> inputs = keras.Input((8,))
    >>> model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    >>> model.compile("sgd", "mse")
    >>> x, y = np.eye(8, dtype="float32"), np.ones((8, 1), "float32")
    >>> found = keras_sam.analysis.report({"a model": model}, x, y, verbose=0)
    >>> print(found)  # doctest: +ELLIPSIS
    |  | loss | ...
    """
    if not isinstance(models, dict):
        models = {getattr(models, "name", "model"): models}
    data = {"x": x, "y": y, "sample_weight": sample_weight, "variables": variables}
    data |= {"batch_size": batch_size, "seed": seed, "verbose": verbose}
    found = Report(
        {n: sharpness(m, rho=rho, **data) for n, m in models.items()},
        {n: pac_bayes_sigma(m, **data) for n, m in models.items()},
        {n: hessian_eigenvalues(m, **data) for n, m in models.items()},
        {n: hessian_trace(m, **data) for n, m in models.items()},
        {n: hessian_density(m, **data) for n, m in models.items()},
        {n: loss_landscape(m, directions=1, **data) for n, m in models.items()},
    )
    if verbose:
        print(found)
    return found

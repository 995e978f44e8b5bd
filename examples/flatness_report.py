"""The table and the picture of flatness.py, from its results."""

import matplotlib
import numpy as np
from scipy import stats

from keras_sam.analysis import Density, Landscape

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib import ticker

WEIGHTS = 93_962  # Of the network.


def chosen(runs):
    """The settings of plain and of sharpness-aware training, chosen by validation error.

    It is the mean over seeds that counts. The whole batch shares a perturbation.
    """
    found = {}
    for name, sharpness_aware in (("plain", False), ("SAM", True)):
        settings = [r["setting"] for r in runs if not r["setting"]["m"]]
        settings = [s for s in settings if bool(s["rho"]) == sharpness_aware]
        found[name] = min(settings, key=lambda s: _mean(runs, s, "validation_error"))
    return found


def table(found):
    """Markdown: the two models, and how well sharpness orders all of them."""
    lines = [
        "| training | rho | learning rate | test error | epoch | lambda_max "
        "| lambda_max / lambda_5 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, model in found["models"].items():
        setting = model["setting"]
        runs = [r["test_error"] for r in found["runs"] if r["setting"] == setting]
        error = f"{np.mean(runs):.1f} ({min(runs):.1f} to {max(runs):.1f}) %"
        for look in model["spectra"]:
            cells = [name, setting["rho"], setting["learning_rate"], error, look["epoch"]]
            cells += [f"{look['values'][0]:.3g} ± {look['residuals'][0]:.1g}", _ratio(look)]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += [
        "",
        "| m | Kendall's tau, all models | those that have learned |",
        "|---|---|---|",
    ]
    those = taus(found["runs"], learned(found["runs"]))
    for m, (tau, p) in taus(found["runs"]).items():
        cells = [m or "all", f"{tau:.2f} (p = {p:.2g})"]
        cells.append(f"{those[m][0]:.2f} (p = {those[m][1]:.2g})")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def learned(runs):
    """Those of models that have learned something: at most half of the test is wrong."""
    return [run for run in runs if run["test_error"] <= 50]


def taus(runs, kept=None):
    """For each m, Kendall's tau of sharpness and test error over models, and its p-value.

    It is 1 where the sharper of two models always has the larger error, -1 where the
    flatter has, and 0 where sharpness says nothing.

    Args:
        runs: List of runs.
        kept: Those of them to look at. Defaults to `None`, for all.
    """
    kept = runs if kept is None else kept
    errors = [run["test_error"] for run in kept]
    found = {}
    for m in runs[0]["sharpness"]:
        rises = [run["sharpness"][m] for run in kept]
        enough = len(kept) > 1
        found[int(m)] = tuple(stats.kendalltau(rises, errors)) if enough else (np.nan,) * 2
    return found


def draw(found, path):
    """Eight panels: spectra and errors above, landscapes and sharpness below."""
    figure, panels = plt.subplots(2, 4, figsize=(17, 8), layout="constrained")
    _draw_spectra(panels[0, :3], found["models"])
    _draw_radii(panels[0, 3], found["runs"])
    _draw_landscapes(panels[1, :2], found["models"])
    _draw_scatter(panels[1, 2], found["runs"])
    _draw_taus(panels[1, 3], found["runs"])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_spectra(panels, models):
    for name, model in models.items():
        for axes, look in zip(panels, model["spectra"]):
            nodes, weights = (list(map(np.array, look[n])) for n in ("nodes", "weights"))
            density = Density(nodes, weights, WEIGHTS, 0, "", 0, 0)
            density.plot(axes)
            label = f"{name}: λmax {look['values'][0]:.3g}, λmax / λ5 {_ratio(look)}"
            axes.lines[-1].set_label(label)
            axes.set_title(f"Spectrum after epoch {look['epoch']}")
            axes.legend(fontsize="small")


def _draw_radii(axes, runs):
    """Test error against rho, a line for each m; plain training at its best rate."""
    rate = chosen(runs)["SAM"]["learning_rate"]
    sharpness_aware = [r["setting"] for r in runs if r["setting"]["rho"]]
    for m in sorted({s["m"] for s in sharpness_aware}):
        own = [s for s in sharpness_aware if s["m"] == m]
        rates = {s["learning_rate"] for s in own}
        own = [s for s in own if len(rates) == 1 or s["learning_rate"] == rate]
        radii = sorted({s["rho"] for s in own})
        errors = [
            _mean(runs, next(s for s in own if s["rho"] == rho), "test_error")
            for rho in radii
        ]
        axes.plot(radii, errors, "o-", label=f"m = {m or 'all'}")
    axes.axhline(_mean(runs, chosen(runs)["plain"], "test_error"), color="gray", ls="--")
    axes.set(xscale="log", yscale="log", xlabel="rho", ylabel="test error (%)")
    _plain_numbers(axes, sorted({s["rho"] for s in sharpness_aware}))
    axes.set_title("Test error against rho (dashed: plain)")
    axes.legend()


def _draw_landscapes(panels, models):
    """In the same colours."""
    low = min(np.min(model["losses"]) for model in models.values())
    levels = low + np.geomspace(0.02, 5, 14)
    for axes, (name, model) in zip(panels, models.items()):
        steps, losses = np.array(model["steps"]), np.array(model["losses"])
        landscape = Landscape(steps, losses, 0, 0)
        axes.contourf(
            steps, steps, losses.T, levels=levels, cmap="viridis_r", extend="both"
        )
        landscape.plot(axes, levels=levels)
        axes.set_title(f"Landscape of the loss: {name}")


def _draw_scatter(axes, runs):
    for name, kept in (("plain", False), ("SAM", True)):
        own = [run for run in learned(runs) if bool(run["setting"]["rho"]) == kept]
        rises = [run["sharpness"]["4"] for run in own]
        axes.scatter(rises, [run["test_error"] for run in own], label=name, alpha=0.7)
    axes.set(xlabel="sharpness, m = 4", ylabel="test error (%)")
    axes.set_title("Models that have learned")
    axes.legend()


def _draw_taus(axes, runs):
    for shift, label, kept in ((-0.2, "all", runs), (0.2, "learned", learned(runs))):
        found = taus(runs, kept)
        places = np.arange(len(found)) + shift
        axes.bar(places, [tau for tau, _ in found.values()], 0.4, label=label)
    axes.set_xticks(range(len(taus(runs))), [str(m or "all") for m in taus(runs)])
    axes.legend()
    axes.axhline(0, color="black", lw=0.8)
    axes.set(xlabel="m", ylabel="Kendall's tau", ylim=(-1, 1))
    axes.set_title("Sharpness against test error")


def _plain_numbers(axes, places):
    """On a logarithmic axis, numbers at these places and at no others."""
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.yaxis.set_minor_formatter(ticker.ScalarFormatter())
    axes.yaxis.set_major_formatter(ticker.ScalarFormatter())


def _mean(runs, setting, what):
    return np.mean([run[what] for run in runs if run["setting"] == setting])


def _ratio(look):
    return f"{look['values'][0] / look['values'][4]:.1f}"

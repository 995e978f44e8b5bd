"""The picture of `cost_of_generalization.py`: what each method gains, against its cost."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.text import Text
from matplotlib.transforms import Bbox

TITLES = {
    "noisy": "Digits, 40 % of the training labels random",
    "few": "Digits, all labels right",
}
COLORS = {"plain": "tab:orange", "SAM": "tab:blue"}
# Where a label may stand beside its point, in points of type: the first free one is taken.
SIDES = [(1, 0.4), (-1, 0.4), (1, -0.4), (-1, -0.4), (-1, 1), (1, -1), (1, 1), (-1, -1)]
PLACES = [(x * far, y * far) for far in (8, 13, 18, 24, 32) for x, y in SIDES]


def save_picture(results, rows, path):
    """One panel. `rows` is what `summarize` gives of `results`."""
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for method, color in COLORS.items():
        row = rows[method]
        ends = row.accuracy - row.half_interval, row.accuracy + row.half_interval
        axes.axhspan(*ends, color=color, alpha=0.15, linewidth=0)
        axes.axhline(row.accuracy, color=color, linewidth=1, alpha=0.6)
    for method, row in rows.items():
        color = COLORS.get(method, "0.25")
        point = row.cost, row.accuracy
        axes.errorbar(*point, row.half_interval, fmt="o", color=color, elinewidth=0.8)
    seeds = len(results["accuracy"]["plain"])
    axes.set(
        xlabel="time of training, relative to plain training",
        ylabel="accuracy on test digits (%)",
        title=f"{TITLES[results['task']]}. Mean of {seeds} seeds, 95 % intervals",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    write_labels(figure, axes, rows)
    figure.savefig(path, dpi=120)
    print(f"Picture saved to {path}")


def write_labels(figure, axes, rows):
    """Each label where it covers the fewest points, intervals and other labels."""
    figure.canvas.draw()  # Which sets the scales.
    taken = [box for row in rows.values() for box in occupied(axes, row)]
    frame = axes.get_window_extent()

    def covered(box):
        outside = box.x0 < frame.x0 or box.x1 > frame.x1
        return box.count_overlaps(taken) + len(taken) * outside

    for method, row in sorted(rows.items(), key=lambda item: -item[1].accuracy):
        labels = [write(axes, method, row, place) for place in PLACES]
        boxes = [words(label) for label in labels]
        best = min(range(len(PLACES)), key=lambda i: covered(boxes[i]))
        taken.append(boxes[best])
        for label in labels[:best] + labels[best + 1 :]:
            label.remove()


def write(axes, method, row, place):
    """With a line to the point, unless that is near."""
    line = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.6, "shrinkA": 0}
    return axes.annotate(
        method,
        (row.cost, row.accuracy),
        place,
        textcoords="offset points",
        ha="left" if place[0] > 0 else "right",
        va="center",
        color=COLORS.get(method, "0.1"),
        weight="bold" if method in COLORS else "normal",
        arrowprops=line if place not in PLACES[: len(SIDES)] else None,
    )


def words(label):
    """The box of its words alone, in pixels."""
    label.get_window_extent()  # Which puts them into their place.
    return Text.get_window_extent(label).padded(3)


def occupied(axes, row):
    """The boxes of a point and of its interval, in pixels."""
    low, high = row.accuracy - row.half_interval, row.accuracy + row.half_interval
    (x, bottom), (_, top) = axes.transData.transform([(row.cost, low), (row.cost, high)])
    y = (bottom + top) / 2
    point = Bbox([(x - 6, y - 6), (x + 6, y + 6)])
    return point, Bbox([(x - 3, bottom), (x + 3, top)])

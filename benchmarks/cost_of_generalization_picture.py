"""The picture of `cost_of_generalization.py`: the share of SAM's gain, against the cost.

It names the methods that no other has the better of, in share and in cost.
"""

from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.text import Text
from matplotlib.transforms import Bbox

# These are named in any case.
COLORS = {"plain": "tab:orange", "SAM": "tab:blue", "AE-SAM, c = 0.5": "tab:green"}
# Where a label may stand beside its point, in points of type: the first free one is taken.
SIDES = [(1, 0.4), (-1, 0.4), (1, -0.4), (-1, -0.4), (-1, 1), (1, -1), (1, 1), (-1, -1)]
PLACES = [
    (x * far, y * far) for far in (8, 13, 18, 24, 32, 45, 60, 80, 100) for x, y in SIDES
]
# Points below 0 are in the table alone.
LOWEST, HIGHEST = -25, 165
GOAL = 95, 1.15  # Percent of the gain, and the cost.
COSTS = {"passes of a step": "passes", "time of training, relative to plain": "time"}


class Point(NamedTuple):
    cost: float
    share: float
    low: float
    high: float


def save_picture(tables, path):
    """A row of panels for each task, with the cost in passes and in time.

    Args:
        tables: Dict from a task's title to what `summarize` gives. One where SAM gains
            nothing is left out.
        path: Where to save it.
    """
    tables = {title: rows for title, rows in tables.items() if rows["plain"].share}
    if not tables:
        return
    size = 13, 5.2 * len(tables)
    drawn = []
    figure, axes = plt.subplots(len(tables), 2, figsize=size, squeeze=False)
    for line, (title, rows) in zip(axes, tables.items()):
        for panel, (label, kind) in zip(line, COSTS.items()):
            points = {name: point(row, kind) for name, row in rows.items()}
            left_out = sum(p is not None and p.share < 0 for p in points.values())
            points = {name: p for name, p in points.items() if p and p.share >= 0}
            draw(panel, points)
            drawn.append((panel, points))
            panel.set(
                xlabel=label,
                ylabel="share of SAM's gain (%)",
                title=f"{title}" + f"\n{left_out} others below 0 %" * bool(left_out),
            )
    figure.tight_layout()
    for panel, points in drawn:
        write_labels(figure, panel, points)
    figure.savefig(path, dpi=110)
    print(f"Picture saved to {path}")


def point(row, kind):
    """`None` where the cost or the share is not known."""
    cost = row.time
    if kind == "passes":
        cost = row.predicted if row.passes is None else row.passes
    return cost and row.share and Point(cost, *(100 * part for part in row.share))


def named(points):
    """What has a color, and what no other is both cheaper and better than."""

    def ahead(other, p):
        return other.cost <= p.cost and other.share >= p.share and other != p

    return {
        name: p
        for name, p in points.items()
        if name in COLORS or not any(ahead(other, p) for other in points.values())
    }


def draw(axes, points):
    """The points with their intervals, and where the goal is met."""
    axes.axhline(0, color=COLORS["plain"], linewidth=1, alpha=0.6)
    axes.axhline(100, color=COLORS["SAM"], linewidth=1, alpha=0.6)
    share, cost = GOAL
    names = named(points)
    axes.fill_between([0.95, cost], share, HIGHEST, color="tab:green", alpha=0.12)
    for name, p in points.items():
        ends = [[p.share - p.low], [p.high - p.share]]
        color = COLORS.get(name, "0.1" if name in names else "0.7")
        axes.errorbar(p.cost, p.share, ends, fmt="o", ms=4, color=color, elinewidth=0.8)
    axes.set_ylim(LOWEST, HIGHEST)
    axes.set_xlim(0.95, None)
    axes.spines[["top", "right"]].set_visible(False)


def write_labels(figure, axes, points):
    """Each label where it covers the fewest points, intervals and other labels."""
    figure.canvas.draw()  # Which sets the scales.
    taken = [box for p in points.values() for box in occupied(axes, p)]
    frame = axes.get_window_extent()

    def covered(box):
        outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0
        return box.count_overlaps(taken) + len(taken) * outside

    for name, p in sorted(named(points).items(), key=lambda item: -item[1].share):
        labels = [write(axes, name, p, place) for place in PLACES]
        boxes = [words(label) for label in labels]
        best = min(range(len(PLACES)), key=lambda i: covered(boxes[i]))
        taken.append(boxes[best])
        for label in labels[:best] + labels[best + 1 :]:
            label.remove()


def write(axes, name, point, place):
    """With a line to the point, unless that is near."""
    line = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.6, "shrinkA": 0}
    return axes.annotate(
        name,
        (point.cost, point.share),
        place,
        textcoords="offset points",
        ha="left" if place[0] > 0 else "right",
        va="center",
        fontsize=8,
        color=COLORS.get(name, "0.1"),
        weight="bold" if name in COLORS else "normal",
        arrowprops=line if place not in PLACES[: len(SIDES)] else None,
    )


def words(label):
    """The box of its words alone, in pixels."""
    label.get_window_extent()  # Which puts them into their place.
    return Text.get_window_extent(label).padded(2)


def occupied(axes, point):
    """The boxes of a point and of its interval, in pixels."""
    ends = [(point.cost, share) for share in (point.low, point.share, point.high)]
    (x, bottom), (_, y), (_, top) = axes.transData.transform(ends)
    return Bbox([(x - 5, y - 5), (x + 5, y + 5)]), Bbox([(x - 2, bottom), (x + 2, top)])

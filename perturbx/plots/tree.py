"""A tree of rules, drawn from the left to the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from perturbx._validation import invalid
from perturbx.plots import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _STEP = 0.62, 2.5
"""Inches for each leaf, and for each test of a path."""

_NAME = 26
_THICKEST = 9.0
"""Points, for all rows."""


class DrawnNode(Protocol):
    """One node: its branches (0 for a leaf), tests, decision, and held-out rows."""

    left: int
    right: int
    test: str
    otherwise: str
    decision: str
    share: float
    fidelity: Any
    value: float


class DrawnTree(Protocol):
    """A tree of nodes, the root first, as `perturbx.SurrogateTree` returns."""

    nodes: Sequence[DrawnNode]
    fidelity: Any
    decisions: tuple[str, ...]
    output: str


def tree(result: DrawnTree, *, ax: Axes | None = None, show: bool = True) -> Axes:
    """Draw a tree of rules: tests along its branches, and decisions at its leaves.

    Read it from the left to the right. A branch is as thick as its share of the held-out rows.
    Next to each leaf are its answer, its share of the rows, and how well the tree repeats the
    model there, with the interval. Decisions have a color each; an output is darker where it is
    larger.

    Parameters
    ----------
    result : RuleTree
        As `perturbx.SurrogateTree` returns, or anything with its attributes `nodes`, `fidelity`,
        `decisions` and `output`.
    ax : matplotlib Axes or None
        Where to draw; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidParameterError
        If `result` is no tree.

    Examples
    --------
    >>> import perturbx as px
    >>> px.plots.tree(px.SurrogateTree(model).fit(X_train).explain(X_test))  # doctest: +SKIP
    """
    if not all(hasattr(result, name) for name in ("nodes", "fidelity", "decisions", "output")):
        raise invalid(
            "result", "a tree, as px.SurrogateTree(model).fit(X).explain() returns", result
        )
    places = _places(result.nodes)
    n_leaves = sum(not node.left for node in result.nodes)
    depth = max(place.depth for place in places)
    axes: Axes = _style.axes_of(ax, _STEP * (depth + 1) + 0.8, _ROW * n_leaves + 0.9)
    _draw(axes, result, places)
    axes.set(xlim=(-0.05, depth + 1.1), ylim=(n_leaves - 0.4, -0.6))
    axes.axis("off")
    ink = _style.tones(axes)[0]
    title = f"Rules for {result.output}: {result.fidelity} on {result.fidelity.n:,} held-out rows"
    axes.set_title(_style.safe(title), loc="left", fontsize=_style.TEXT + 1, color=ink)
    _style.finished(axes, show)
    return axes


@dataclass(frozen=True)
class _Place:
    depth: int
    row: float


def _places(nodes: Sequence[DrawnNode]) -> list[_Place]:
    """Leaves one below the other, and each test in the middle of its branches."""
    depth, row, n_leaves = [0] * len(nodes), [0.0] * len(nodes), 0
    waiting = [0]
    while waiting:
        node = waiting.pop()
        if not nodes[node].left:
            row[node], n_leaves = float(n_leaves), n_leaves + 1
            continue
        for child in (nodes[node].right, nodes[node].left):
            depth[child] = depth[node] + 1
            waiting.append(child)
    for node in reversed(range(len(nodes))):  # children come after their parents
        if nodes[node].left:
            row[node] = (row[nodes[node].left] + row[nodes[node].right]) / 2
    return [_Place(d, r) for d, r in zip(depth, row, strict=True)]


def _draw(ax: Axes, result: DrawnTree, places: list[_Place]) -> None:
    ink, gray, line = _style.tones(ax)
    colors = _colors(result)
    for node, place in zip(result.nodes, places, strict=True):
        if not node.left:
            _leaf(ax, node, place, colors(node), (ink, gray))
            continue
        for child, text in ((node.left, node.test), (node.right, node.otherwise)):
            to, width = places[child], max(_THICKEST * result.nodes[child].share, 0.8)
            x = np.array([place.depth, place.depth + 0.16, to.depth])
            y = [place.row, to.row, to.row]
            ax.plot(x, y, color=line, linewidth=width, solid_joinstyle="round", zorder=1)
            ax.annotate(
                _style.safe(_style.shorten(text, _NAME + 12)),
                (place.depth + 0.2, to.row),
                xytext=(0, 2 + width / 2),
                textcoords="offset points",
                fontsize=_style.SMALL,
                color=ink,
                va="bottom",
            )


def _leaf(ax: Axes, node: DrawnNode, place: _Place, color: str, tones: tuple[str, str]) -> None:
    ink, gray = tones
    ax.plot(place.depth, place.row, "o", color=color, markersize=9, zorder=3)
    said = _style.safe(_style.shorten(node.decision, _NAME))
    for text, tone, dy, weight in (
        (said, ink, 6, "bold"),
        (f"{100 * node.share:.3g}% of rows, {node.fidelity}", gray, -6, "normal"),
    ):
        ax.annotate(
            text,
            (place.depth, place.row),
            xytext=(10, dy),
            textcoords="offset points",
            fontsize=_style.SMALL,
            color=tone,
            weight=weight,
            va="center",
        )


def _colors(result: DrawnTree) -> Any:
    """The color of a leaf: one for each decision, or by the size of the output."""
    if result.decisions:
        palette = _style.OUTPUT_COLORS
        return lambda node: palette[int(node.value) % len(palette)]
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    values = [node.value for node in result.nodes if not node.left]
    low, span = min(values), (max(values) - min(values)) or 1.0
    shades = LinearSegmentedColormap.from_list("shades", ["#b9d4ec", _style.BLUE, "#1c5a91"])
    return lambda node: to_hex(shades((node.value - low) / span))

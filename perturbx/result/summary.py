"""An explanation as text: a head, and a table of its largest scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._rounding import above_rounding
from perturbx._typing import Floats, Ints
from perturbx.features import Regions, SeriesMap, Spans
from perturbx.features.places import aligned, place
from perturbx.result.importance import importance
from perturbx.result.series import maps_of, segment_means
from perturbx.result.text import shorten, show

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_ROWS, _OUTPUTS, _WIDTH = 10, 3, 36

_MEAN = "mean value"

_PLACES = {"image": "place, size", "series": "", "text": "piece", "list": "item"}
"""What `place` says, or what names a feature, by the kind of the instance."""

_ARITHMETIC = 1e-9
"""Standard errors below this fraction of the largest score or output are rounding errors."""


@dataclass(frozen=True, eq=False)
class Table:
    """The largest scores, few enough to read.

    Parameters
    ----------
    kind : str
        The meaning of a row: "feature", "instance", "output", "image", "series", "text" or "list".
    names, data : tuple of str
        The rows, and their values or the places of their regions; data is empty if there are
        neither.
    heading : str
        The title of `data`.
    scores, errors, lower, upper : (rows, columns) array
        A column for each output; the last two are the ends of 95% intervals.
    columns : tuple of str
        Names of the outputs; one empty name if there is only one.
    title : str
        The title of the scores.
    rest : tuple of str
        How many rows and columns were left out.
    """

    kind: str
    names: tuple[str, ...]
    data: tuple[str, ...]
    heading: str
    scores: Floats
    errors: Floats
    lower: Floats
    upper: Floats
    columns: tuple[str, ...]
    title: str
    rest: tuple[str, ...]

    @property
    def is_mean(self) -> bool:
        """Whether these are sizes, without a sign."""
        return self.title.startswith("mean")

    def cells(self, column: int) -> list[str]:
        """Each score with its error, with as many decimals as the largest score needs."""
        largest = float(np.abs(self.scores[np.isfinite(self.scores)]).max(initial=0.0))
        sign = "" if self.is_mean else "+"
        decimals = min(7, max(0, 3 - int(np.floor(np.log10(largest or 1)))))
        plain = largest == 0 or 1e-4 <= largest < 1e6
        spec = f"{sign}.{decimals}f" if plain else f"{sign}.3e"
        cells = []
        for v, e in zip(self.scores[:, column], self.errors[:, column], strict=True):
            if np.isnan(v):
                cells.append("unknown")
                continue
            if e == 0:
                cells.append(f"{v:{spec}}, exact")
                continue
            error = f"{e:.{decimals}f}" if plain and e >= 0.5 * 0.1**decimals else f"{e:.1g}"
            cells.append(f"{v:{spec}} ± {'?' if np.isnan(e) else error}")
        return cells


def tabulate(explanation: Explanation) -> Table:
    """The largest scores first; over several instances their mean size, or each image's largest."""
    axes, regions = explanation.axes, explanation.regions
    if axes[:1] == ("instance",) and len(explanation) == 1:
        return tabulate(explanation[0])
    kind = "feature" if "feature" in axes or not axes else axes[0]
    is_mean = kind == "feature" and "instance" in axes
    heading, title = _heading(explanation), "score ± standard error"
    figures, largest = _figures(explanation), np.arange(0)
    if isinstance(regions, tuple) and not aligned(regions):
        # No two images have a region in common: a row for each image, with its largest score.
        kind = _kind(explanation)
        heading = f"largest score at{f' ({_PLACES[kind]})' * bool(_PLACES[kind])}"
        n, d = figures[0].shape[:2]
        largest = np.nan_to_num(np.abs(figures[0])).reshape(n, d, -1).max(axis=2).argmax(axis=1)
        figures = tuple(part[np.arange(n), largest] for part in figures)
    elif is_mean:
        title, figures = "mean |score| ± standard error", _mean_figures(explanation)
    size = len(figures[0]) if axes else 1
    columns = int(np.prod(figures[0].shape[1:]))
    scores, errors, lower, upper = (part.reshape(size, columns) for part in figures)
    order = np.arange(size)
    if kind == "feature":
        order = np.argsort(-np.nan_to_num(np.abs(scores)).max(axis=1, initial=0), kind="stable")
    shown = [int(i) for i in order[:_ROWS]]
    left_out = ((size - _ROWS, f"{kind}s"), (columns - _OUTPUTS, "outputs"))
    return Table(
        kind=kind,
        names=tuple(shorten(str(name), _WIDTH) for name in _names(explanation, kind, shown)),
        data=_data(explanation, kind, shown, largest),
        heading=heading,
        scores=scores[shown, :_OUTPUTS],
        errors=errors[shown, :_OUTPUTS],
        lower=lower[shown, :_OUTPUTS],
        upper=upper[shown, :_OUTPUTS],
        columns=_columns(explanation, kind),
        title=title,
        rest=tuple(f"{n:,} more {what}" for n, what in left_out if n > 0),
    )


def _figures(explanation: Explanation) -> tuple[Floats, ...]:
    """Scores, errors, and the ends of intervals."""
    scores, half = np.asarray(explanation.values), half_widths(explanation)
    return scores, errors_above_rounding(explanation), scores - half, scores + half


def _mean_figures(explanation: Explanation) -> tuple[Floats, ...]:
    """The same of the mean |score| over instances; unknown where there are none."""
    if not len(explanation):
        return (np.full(explanation.shape[1:], np.nan),) * 4
    found = importance(explanation)
    return (found.values, found.standard_errors, *found.interval())


def head(explanation: Explanation) -> list[str]:
    """Lines with the method, what it explained, the value function, the cost and the notes."""
    parts = [
        f"{size:,} {axis}{'' if size == 1 else 's'}"
        for axis, size in zip(explanation.axes, explanation.shape, strict=True)
    ]
    names = explanation.output_names
    if "output" not in explanation.axes and np.ndim(names) == 1 and len(names) == 1:
        parts.append(f"output {str(names[0])!r}")
    if "feature" not in explanation.axes:
        parts.insert(0, f"feature {explanation.feature_names[0]!r}")
    if "instance" not in explanation.axes:
        parts.insert(0, _instance(explanation))
    lines = [f"{explanation.method_name}: {', '.join(parts)}"]
    if explanation.method != explanation.method_name:
        lines.append(f"estimate: {explanation.method.partition(':')[2].strip()}")
    lines.append(f"value function: {explanation.value_function}")
    if np.size(explanation.predictions) == 1 and np.isfinite(explanation.predictions).all():
        base, prediction = np.ravel(explanation.base_values), np.ravel(explanation.predictions)
        lines.append(f"base value {base[0]:.4g}, prediction {prediction[0]:.4g}")
    lines.append(_cost(explanation))
    return lines + [f"note: {note}" for note in explanation.notes]


def _instance(explanation: Explanation) -> str:
    """The kind and size of a single instance: a batch of series may be mistaken for an image."""
    regions, data = explanation.regions, explanation.data
    if isinstance(regions, Spans):
        return f"1 {_kind(explanation)}"
    if not isinstance(regions, Regions):
        return "1 instance"
    if isinstance(regions, SeriesMap):
        n = len(regions.channel_names)
        channels = f" and {n} channel{'s'[: n != 1]}" * bool(n)
        return f"1 series of {regions.n_steps:,} steps{channels}"
    sides = " × ".join(map(str, regions.shape))
    kinds = {1: f"1 series of {sides} steps", 2: f"1 image of {sides} pixels"}
    channels = np.shape(data)[len(regions.shape) :]
    text = kinds.get(len(regions.shape), f"1 volume of {sides} voxels")
    return text + "".join(f" and {n} channel{'s'[: n != 1]}" for n in channels)


def _kind(explanation: Explanation) -> str:
    """What an instance with places is."""
    if maps_of(explanation):
        return "series"
    regions = explanation.regions
    first = regions[0] if isinstance(regions, tuple) else regions
    if not isinstance(first, Spans):
        return "image"
    return "list" if first.word == "item" else "text"


def _heading(explanation: Explanation) -> str:
    """The title of the column that says where a feature is, or what its value is."""
    if not explanation.regions:
        return "data"
    kind = _kind(explanation)
    headings = {"series": _MEAN, "text": "characters", "list": "position"}
    return headings.get(kind, _PLACES["image"])


def summary(explanation: Explanation) -> str:
    """Head and table as plain text."""
    table, (first, *lines) = tabulate(explanation), head(explanation)
    columns = [[table.kind, *table.names]]
    if table.data:
        columns.append([table.heading, *table.data])
    several = len(table.columns) > 1
    for j, name in enumerate(table.columns):
        columns.append([name if several else table.title, *table.cells(j)])
    widths = [max(map(len, column)) for column in columns]
    rows = ["  ".join(map(str.ljust, row, widths)) for row in zip(*columns, strict=True)]
    lines += ["", *([table.title] if several else []), *rows]
    lines += [f"... and {rest}" for rest in table.rest]
    return "\n".join([first, *(f"  {line}".rstrip() for line in lines)])


def half_widths(explanation: Explanation, level: float = 0.95) -> Floats:
    """Half the length of each interval; 0 where the error is only rounding."""
    _, upper = explanation.interval(level)
    with np.errstate(over="ignore", invalid="ignore"):
        half = upper - explanation.values
    return np.where(errors_above_rounding(explanation) == 0, 0.0, half)


def errors_above_rounding(explanation: Explanation) -> Floats:
    """Standard errors, and 0 for those that are only rounding."""
    scores, axes = np.abs(explanation.values), explanation.axes
    size = np.fmax(np.abs(explanation.predictions), np.abs(explanation.base_values))
    if "feature" in axes:
        axis = axes.index("feature")
        largest = np.fmax.reduce(scores, axis=axis, keepdims=True, initial=0.0)
        size = np.fmax(np.expand_dims(size, axis), largest)
    return above_rounding(explanation.standard_errors, _ARITHMETIC * np.fmax(size, scores))


def _names(explanation: Explanation, kind: str, shown: list[int]) -> list[Any]:
    names = {"feature": explanation.feature_names, "output": explanation.output_names}.get(kind)
    return shown if names is None else [names[i] for i in shown]


def _data(explanation: Explanation, kind: str, shown: list[int], largest: Ints) -> tuple[str, ...]:
    """The data of each row, or where its region lies; nothing where rows have neither."""
    data, regions = explanation.data, explanation.regions
    if kind in _PLACES and isinstance(regions, tuple):
        of_each = ((regions[i], int(largest[i])) for i in shown)
        return tuple(
            shorten(own.names[j], _WIDTH) if isinstance(own, Spans) else place(own, j)
            for own, j in of_each
        )
    if isinstance(regions, SeriesMap) and kind == "feature":
        return tuple(show(mean) for mean in segment_means(data, regions)[shown])
    if maps_of(explanation):
        return ()
    if regions is not None and kind == "feature":
        places = regions if isinstance(regions, tuple) else (regions,)
        return tuple(place(places[0], i) for i in shown) if places else ()
    is_mean = kind == "feature" and "instance" in explanation.axes
    if regions is not None or data is None or kind == "output" or is_mean:
        return ()
    return tuple(show(data[i] if explanation.axes else data) for i in shown)


def _columns(explanation: Explanation, kind: str) -> tuple[str, ...]:
    """Headings of the score columns."""
    if "output" not in explanation.axes or kind == "output":
        return ("",)
    names = explanation.output_names
    if np.ndim(names) == 2:
        names = [f"output {j + 1}" for j in range(explanation.shape[-1])]
    return tuple(shorten(str(name), 20) for name in names[:_OUTPUTS])


def _cost(explanation: Explanation) -> str:
    rows, calls = explanation.n_rows, explanation.n_calls
    cost = f"cost: {rows:,} model row{'s'[: rows != 1]} in {calls:,} call{'s'[: calls != 1]}"
    if explanation.converged is not None:
        cost += "; converged" if explanation.converged else "; not converged"
    if explanation.fidelity is not None:
        cost += f"; fidelity (R2) {_mean(np.ravel(explanation.fidelity)):.3f}"
    return cost


def _mean(array: Floats) -> Floats:
    """The mean over instances, without NaN."""
    known = ~np.isnan(array)
    total, count = np.where(known, array, 0.0).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))

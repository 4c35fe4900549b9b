"""The input of `curves`: results with a curve, sorted into panels and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import shown as shown_value
from perturbx.errors import InvalidParameterError


class Curved(Protocol):
    """A number with the curve behind it, as `perturbx.metrics.deletion` returns.

    `values` is (n,), (n, k) or () according to `axes`: one number per instance and output.
    `curves` has one more axis, the last, for the model's output at each of `shares` (0 to 1).
    `references` and `reference_curves` have the same, by name, for scores that never saw the
    model.
    """

    metric: str
    better: str
    value_function: str
    axes: tuple[str, ...]
    output_names: Any
    values: Floats
    references: Mapping[str, Floats]
    shares: Floats | None
    curves: Floats | None
    reference_curves: Mapping[str, Floats]


Curves: TypeAlias = Curved | Sequence[Curved] | Mapping[str, "Curved | Sequence[Curved]"]
"""One result, several of one method, or either of these by the name of a method."""


@dataclass(frozen=True, eq=False)
class Line:
    """A mean curve; `each` holds the curves of single instances, (n, s)."""

    label: str
    number: float
    shares: Floats
    each: Floats
    is_reference: bool

    @property
    def mean(self) -> Floats:
        known = ~np.isnan(self.each).any(axis=1)
        return np.asarray(self.each[known].mean(axis=0) if known.any() else self.each[0])


@dataclass(frozen=True, eq=False)
class Panel:
    """All lines of one metric, references last."""

    metric: str
    better: str
    output: str
    value_functions: tuple[str, ...]
    lines: tuple[Line, ...]


def panels_of(results: Curves, output: int | str | None) -> list[Panel]:
    """A panel for each metric, in the order of the results."""
    named = [(label, one) for label, several in _by_name(results) for one in several]
    if not named:
        raise InvalidParameterError("curves has nothing to draw: pass at least one result.")
    for _, one in named:
        _check(one)
    metrics = list(dict.fromkeys(one.metric for _, one in named))
    return [_panel([(label, o) for label, o in named if o.metric == m], output) for m in metrics]


def _by_name(results: Curves) -> list[tuple[str, list[Curved]]]:
    named: Any = results.items() if isinstance(results, Mapping) else [("", results)]
    return [
        (str(label), list(several) if isinstance(several, (list, tuple)) else [several])
        for label, several in named
    ]


def _check(one: Any) -> None:
    """Refuse anything without a curve."""
    if getattr(one, "curves", None) is not None and getattr(one, "shares", None) is not None:
        return
    got = f"one of {one.metric!r}" if hasattr(one, "metric") else f"{type(one).__name__}"
    raise InvalidParameterError(
        "curves draws results that have curves, such as those of px.metrics.deletion and "
        f"px.metrics.insertion, alone, in a list, or in a dict by method name; got {got}."
    )


def _panel(named: list[tuple[str, Curved]], output: int | str | None) -> Panel:
    lines = [_line(label or "explanation", one, output) for label, one in named]
    first = named[0][1]
    references = [
        _line(name, first, output, reference=name) for name in sorted(first.reference_curves)
    ]
    fills = tuple(dict.fromkeys(one.value_function for _, one in named))
    name = _output_name(first, output)
    return Panel(first.metric, first.better, name, fills, (*lines, *references))


def _line(label: str, one: Curved, output: int | str | None, reference: str | None = None) -> Line:
    curve: Any = one.curves if reference is None else one.reference_curves[reference]
    number: Any = one.values if reference is None else one.references[reference]
    shares = np.asarray(one.shares, dtype=np.float64)
    each, numbers = np.asarray(curve, dtype=np.float64), np.asarray(number, dtype=np.float64)
    at = [_position(one, output)]
    if "output" in one.axes:
        axis = one.axes.index("output")
        each, numbers = each.take(at, axis=axis), numbers.take(at, axis=axis)
    known = numbers[~np.isnan(numbers)]
    mean = float(known.mean()) if known.size else np.nan
    return Line(label, mean, shares, each.reshape(-1, len(shares)), reference is not None)


def _position(one: Curved, output: int | str | None) -> int:
    """The position of the output."""
    names = one.output_names
    k = one.values.shape[one.axes.index("output")] if "output" in one.axes else 1
    own = [] if np.ndim(names) == 2 else [str(name) for name in names]
    if output is None and k == 1:
        return 0
    if isinstance(output, str) and output in own:
        return own.index(output)
    is_flag = isinstance(output, bool)
    if isinstance(output, (int, np.integer)) and not is_flag and -k <= output < k:
        return int(output)
    shown = f"0 to {k - 1}" + f", or one of {', '.join(map(repr, own[:20]))}" * bool(own)
    raise InvalidParameterError(
        f"curves draws one of the {k} outputs of these results: choose it with output=, {shown}; "
        f"got {shown_value(output)}."
    )


def _output_name(one: Curved, output: int | str | None) -> str:
    """The name of the output, where all instances have the same one."""
    if np.ndim(one.output_names) == 2:
        return ""
    at = _position(one, output) if "output" in one.axes else 0
    return str(one.output_names[at]) if len(one.output_names) else ""

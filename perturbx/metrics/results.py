"""What metrics return: one `Measure` each, and the `Comparison` of several explainers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from perturbx._typing import Floats
from perturbx.game import Cost

if TYPE_CHECKING:
    import pandas as pd

_REFERENCES = ("random", "center blob")

_RESAMPLES = 2000

_FEWEST = 5
"""Resamples of fewer instances than this are too alike to estimate the error of a mean."""

Better: TypeAlias = Literal["higher", "lower"]


class Named(Protocol):
    """What a result needs to know of its metric."""

    @property
    def name(self) -> str: ...
    @property
    def better(self) -> Better: ...


@dataclass(frozen=True, eq=False, repr=False)
class Measure:
    """How faithful an explanation is, by one metric.

    Parameters
    ----------
    metric : str
        The metric's name.
    values : (n,), (n, k) or () array
        One number for each instance and output; NaN where the metric is not defined, as a
        correlation with a constant.
    axes : tuple of str
        Which of "instance" and "output" the axes of `values` are.
    output_names : tuple of str, or (n, k) array of str
        The outputs that were judged.
    better : "higher" or "lower"
        Where a faithful explanation lies.
    value_function : str
        How features were removed, in words.
    n_rows, n_calls : int
        Model rows and calls, references included.
    references : mapping of str to array like values
        The same metric of scores that never saw the model: a random order, or for images also a
        blob in the center.
    reference_rows : mapping of str to int
        How many of `n_rows` each reference cost.
    shares : (s,) array or None
        Shares of the features (or positions) at which `curves` are known.
    curves : array like values with an axis of s more, or None
        The outputs along the way.
    reference_curves : mapping of str to array like curves
    details : mapping of str to array
        Further numbers, by name.
    notes : tuple of str
        Facts that a reader should know.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.array([[1.0, 2.0], [3.0, 1.0]])
    >>> model = lambda X: X @ [1.0, 2.0]
    >>> found = px.Occlusion(model, masker=px.Baseline([0.0, 0.0])).explain(X)
    >>> px.metrics.deletion(model, X, found, masker=px.Baseline([0.0, 0.0]), references=False)
    deletion 2 (lower is better): 2 instances, 8 model rows; absent features at a baseline
    """

    metric: str
    values: Floats
    axes: tuple[str, ...]
    output_names: Any
    better: Better
    value_function: str
    n_rows: int
    n_calls: int
    references: Mapping[str, Floats] = field(default_factory=dict)
    reference_rows: Mapping[str, int] = field(default_factory=dict)
    shares: Floats | None = None
    curves: Floats | None = None
    reference_curves: Mapping[str, Floats] = field(default_factory=dict)
    details: Mapping[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of_grids(
        cls, metric: Named, axes: tuple[str, ...], grid: Floats, cost: Cost, **others: Any
    ) -> Measure:
        """The result of a metric from grids (n, k, ...), of which it keeps the axes that it has.

        `others` are further fields; mappings hold grids too.
        """
        sizes = zip(("instance", "output"), grid.shape, strict=True)
        shape = [size for axis, size in sizes if axis in axes]
        for name, other in others.items():
            if isinstance(other, Mapping) and name != "reference_rows":
                others[name] = {
                    key: np.reshape(found, (*shape, *np.shape(found)[2:]))
                    for key, found in other.items()
                }
        if (curves := others.get("curves")) is not None:
            others["curves"] = np.reshape(curves, (*shape, *curves.shape[2:]))
        return cls(
            metric=metric.name,
            values=np.reshape(grid, shape),
            axes=axes,
            better=metric.better,
            n_rows=cost.n_rows,
            n_calls=cost.n_calls,
            **others,
        )

    @property
    def mean(self) -> float:
        """The mean of the values that are known; NaN if none is."""
        return known_mean(self.values)

    @property
    def fill(self) -> str:
        """`value_function`, by the word that images use."""
        return self.value_function

    def __float__(self) -> float:
        return self.mean

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame: a row for each instance and output, references as columns.

        Raises
        ------
        ImportError
            Without pandas.
        """
        n = self.values.shape[0] if "instance" in self.axes else 1
        grid = np.reshape(self.values, (n, -1))
        names = np.asarray(self.output_names, dtype=object)
        columns = {
            "instance": np.repeat(np.arange(n), grid.shape[1]),
            "output": np.broadcast_to(names, grid.shape).ravel(),
            self.metric: grid.ravel(),
            **{name: np.ravel(values) for name, values in self.references.items()},
        }
        return _frame(columns)

    def __repr__(self) -> str:
        against = [f"{name} {known_mean(v):.3g}" for name, v in self.references.items()]
        beside = [f"{name} {known_mean(v):.3g}" for name, v in self.details.items()]
        shown = "; ".join(
            [", ".join(part) for part in (against, beside) if part] + [f"{self.better} is better"]
        )
        sizes = [
            f"{size} {axis}{'s'[: size != 1]}"
            for axis, size in zip(self.axes, self.values.shape, strict=True)
        ]
        asked = ", ".join([*(sizes or ["1 instance"]), f"{self.n_rows:,} model rows"])
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{self.metric} {self.mean:.3g} ({shown}): {asked}; {self.value_function}{notes}"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Explainers by metrics: means, and paired differences with intervals.

    Parameters
    ----------
    names : tuple of r str
        The explainers, and in brackets scores that never saw the model.
    metrics : tuple of c str
    better : tuple of c "higher" or "lower"
    means : (r, c) array
        Over the instances; NaN where a metric does not apply.
    differences, lower, upper : (r, c) array
        Mean paired difference to the row `against`, with its bootstrap interval over instances;
        the interval is NaN for fewer than 5 instances.
    against : str
    level : float
    n_instances : int
    explaining_rows, measuring_rows : (r,) array
        Model rows; NaN where an explainer does not report them, 0 for references.
    value_functions : mapping of str to str
        How each metric removed features, in words.
    measures : mapping of str to mapping of str to Measure
        Every single result, by explainer and metric.
    """

    names: tuple[str, ...]
    metrics: tuple[str, ...]
    better: tuple[Better, ...]
    means: Floats
    differences: Floats
    lower: Floats
    upper: Floats
    against: str
    level: float
    n_instances: int
    explaining_rows: Floats
    measuring_rows: Floats
    value_functions: Mapping[str, str]
    measures: Mapping[str, Mapping[str, Measure]]

    def to_frame(self) -> pd.DataFrame:
        """A tidy pandas DataFrame: a row for each explainer and metric.

        Raises
        ------
        ImportError
            Without pandas.
        """
        r, c = self.means.shape
        return _frame(
            {
                "explainer": np.repeat(np.array(self.names, dtype=object), c),
                "metric": np.tile(np.array(self.metrics, dtype=object), r),
                "better": np.tile(np.array(self.better, dtype=object), r),
                "mean": self.means.ravel(),
                "difference": self.differences.ravel(),
                "lower": self.lower.ravel(),
                "upper": self.upper.ravel(),
                "explaining_rows": np.repeat(self.explaining_rows, c),
                "measuring_rows": np.repeat(self.measuring_rows, c),
            }
        )

    def __repr__(self) -> str:
        n = self.n_instances
        title = (
            f"{len(self.measures)} explainers on {n} instance{'s'[: n != 1]}: mean, difference to "
            f"{self.against!r} [{self.level:.0%} interval over instances]; ↑ higher is better"
        )
        columns = [["", *self.names]]
        for c, (metric, better) in enumerate(zip(self.metrics, self.better, strict=True)):
            columns.append([f"{metric} {'↑' if better == 'higher' else '↓'}", *self._cells(c)])
        columns.append(["rows to explain", *map(_count, self.explaining_rows)])
        columns.append(["to measure", *map(_count, self.measuring_rows)])
        widths = [max(map(len, column)) for column in columns]
        rows = ["  ".join(map(str.ljust, row, widths)) for row in zip(*columns, strict=True)]
        shown = dict.fromkeys(self.value_functions.values())
        by = {words: [m for m, w in self.value_functions.items() if w == words] for words in shown}
        ends = [f"{', '.join(metrics)}: {words}" for words, metrics in by.items()]
        ends += [f"{', '.join(names)}: {note}" for note, names in self._notes().items()]
        return "\n".join([title, *(f"  {line}".rstrip() for line in [*rows, *ends])])

    def _notes(self) -> dict[str, list[str]]:
        """Facts that a reader should know, and the explainers that they hold for."""
        notes: dict[str, list[str]] = {}
        for name, of in self.measures.items():
            for note in dict.fromkeys(note for found in of.values() for note in found.notes):
                notes.setdefault(note, []).append(name)
        return {
            n: names if len(names) < len(self.measures) else ["note"] for n, names in notes.items()
        }

    def _cells(self, c: int) -> list[str]:
        """Means, differences and intervals of one metric, as exact as its typical mean needs."""
        sizes = np.abs(self.means[np.isfinite(self.means[:, c]), c])
        typical = float(np.median(sizes)) if len(sizes) else 0.0
        decimals = min(9, max(0, 2 - int(np.floor(np.log10(typical or 1.0)))))

        def show(value: float, sign: str = "") -> str:
            return f"{value:{sign}.{decimals}f}" if abs(value) < 1e4 else f"{value:{sign}.2e}"

        cells = []
        for r, name in enumerate(self.names):
            mean, difference = self.means[r, c], self.differences[r, c]
            alone = name == self.against or np.isnan(difference)
            low, high = self.lower[r, c], self.upper[r, c]
            interval = "" if alone or np.isnan(low) else f"[{show(low, '+')}, {show(high, '+')}]"
            shown = "-" if np.isnan(mean) else show(mean)
            cells.append((shown, "" if alone else show(difference, "+"), interval))
        widths = [max(len(cell[part]) for cell in cells) for part in range(3)]
        return [" ".join(map(str.ljust, cell, widths)).rstrip() for cell in cells]


def _count(rows: float) -> str:
    return "?" if np.isnan(rows) else f"{int(rows):,}"


def tabulate(
    measures: Mapping[str, Mapping[str, Measure]],
    explaining: Sequence[float],
    *,
    removing: Collection[str],
    against: str,
    level: float,
    seed: int,
) -> Comparison:
    """Means, paired differences and their intervals.

    Parameters
    ----------
    measures : by explainer and metric
    explaining : one number of model rows for each explainer
    removing : names of the metrics that remove features, whose `value_function` is shown
    against, level, seed
        Of the intervals.
    """
    first = next(iter(measures.values()))
    rows = {name: {m: found.values for m, found in of.items()} for name, of in measures.items()}
    for name in _REFERENCES:  # as the first explainer's metrics measured them
        found = {m: one.references[name] for m, one in first.items() if name in one.references}
        rows |= {f"({name})": found} if found else {}
    labels = tuple(first)
    cells = np.full((4, len(rows), len(labels)), np.nan)
    for r, values in enumerate(rows.values()):
        for c, label in enumerate(labels):
            if label in values:
                gap = values[label] - rows[against][label]
                paired = _by_instance(first[label], gap)
                cells[:, r, c] = known_mean(values[label]), *_interval(paired, level, seed)
    means, differences, lower, upper = cells
    on_references = {
        name: sum(one.reference_rows.get(name.strip("()"), 0) for one in first.values())
        for name in rows
        if name not in measures
    }
    costs = [sum(found.n_rows for found in of.values()) for of in measures.values()]
    costs[0] -= sum(on_references.values())
    return Comparison(
        names=tuple(rows),
        metrics=labels,
        better=tuple(found.better for found in first.values()),
        means=means,
        differences=differences,
        lower=lower,
        upper=upper,
        against=against,
        level=level,
        n_instances=len(_by_instance(first[labels[0]], first[labels[0]].values)),
        explaining_rows=np.array([*explaining, *[0.0] * len(on_references)]),
        measuring_rows=np.array([*costs, *on_references.values()], dtype=np.float64),
        value_functions={m: first[m].value_function for m in labels if m in removing},
        measures=measures,
    )


def _by_instance(measure: Measure, values: Floats) -> Floats:
    """(n,): the mean over outputs."""
    n = len(values) if "instance" in measure.axes else 1
    return np.array([known_mean(row) for row in np.reshape(values, (n, -1))])


def _interval(paired: Floats, level: float, seed: int) -> tuple[float, float, float]:
    """The mean of paired differences, and its percentile bootstrap interval over instances."""
    from scipy.stats import bootstrap

    known = paired[~np.isnan(paired)]
    if len(known) < _FEWEST:
        return known_mean(known), np.nan, np.nan
    found = bootstrap(
        (known,),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=level,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    low, high = found.confidence_interval
    return known_mean(known), float(low), float(high)


def known_mean(values: Floats) -> float:
    """The mean of the values that are not NaN."""
    known = np.asarray(values)[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def ratio(above: Floats, below: Floats) -> Floats:
    """The quotient, NaN where the divisor is 0."""
    unknown = np.full(above.shape, np.nan)
    return np.asarray(np.divide(above, below, out=unknown, where=below > 0))


def _frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame needs pandas: pip install pandas") from error
    return pd.DataFrame(columns)

"""The table that `compare` returns: means, and paired differences with their intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perturbx._typing import Floats
from perturbx.metrics._measure import Better, Measure, known_mean

if TYPE_CHECKING:
    import pandas as pd


_REFERENCES = ("random", "center blob")

_RESAMPLES = 2000

_FEWEST = 5
"""Resamples of fewer instances than this are too alike to tell how far off a mean is."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Explainers by metrics: means, and paired differences with intervals.

    Parameters
    ----------
    names : tuple of r str
        The explainers, and in brackets what never saw the model.
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
        Model rows; NaN where an explainer does not tell, 0 for what never asked.
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
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error
        r, c = self.means.shape
        return pd.DataFrame(
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
        said = dict.fromkeys(self.value_functions.values())
        by = {words: [m for m, w in self.value_functions.items() if w == words] for words in said}
        ends = [f"{', '.join(metrics)}: {words}" for words, metrics in by.items()]
        ends += [f"{', '.join(names)}: {note}" for note, names in self._notes().items()]
        return "\n".join([title, *(f"  {line}".rstrip() for line in [*rows, *ends])])

    def _notes(self) -> dict[str, list[str]]:
        """What a reader should know, and of which explainers."""
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
        return _aligned(cells)


def _aligned(cells: list[tuple[str, str, str]]) -> list[str]:
    widths = [max(len(cell[i]) for cell in cells) for i in range(3)]
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
    removing : names of the metrics that remove features, so that it is told how
    against, level, seed
        Of the intervals.
    """
    first = next(iter(measures.values()))
    rows = {name: {m: found.values for m, found in of.items()} for name, of in measures.items()}
    rows |= _references(first)
    labels = tuple(first)
    cells = np.full((4, len(rows), len(labels)), np.nan)
    for r, values in enumerate(rows.values()):
        for c, label in enumerate(labels):
            if label in values:
                gap = values[label] - rows[against][label]
                paired = _by_instance(first[label], gap)
                cells[:, r, c] = known_mean(values[label]), *_interval(paired, level, seed)
    means, differences, lower, upper = cells
    on_references = {name: _reference_cost(first, name) for name in rows if name not in measures}
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


def _references(first: Mapping[str, Measure]) -> dict[str, dict[str, Floats]]:
    """Rows of what never saw the model, as the first explainer's metrics measured them."""
    found = {
        f"({name})": {m: one.references[name] for m, one in first.items() if name in one.references}
        for name in _REFERENCES
    }
    return {name: values for name, values in found.items() if values}


def _reference_cost(first: Mapping[str, Measure], row: str) -> int:
    """Model rows that one reference cost in all metrics."""
    return sum(found.reference_rows.get(row.strip("()"), 0) for found in first.values())


def _by_instance(measure: Measure, values: Floats) -> Floats:
    """(n,): the mean over outputs."""
    n = len(values) if "instance" in measure.axes else 1
    return np.array([known_mean(row) for row in np.reshape(values, (n, -1))])


def _interval(paired: Floats, level: float, seed: int) -> tuple[float, float, float]:
    """The mean of paired differences, and its percentile bootstrap interval over instances."""
    known = paired[~np.isnan(paired)]
    if not len(known):
        return np.nan, np.nan, np.nan
    if len(known) < _FEWEST:
        return float(known.mean()), np.nan, np.nan
    rng = np.random.default_rng(seed)
    drawn = known[rng.integers(len(known), size=(_RESAMPLES, len(known)))].mean(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(known.mean()), float(low), float(high)
